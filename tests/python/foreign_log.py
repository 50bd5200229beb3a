"""Turns rows of the Open Bandit Dataset into a request log and a file of clicks, as a team without the combiner
would: with pandas, and with ids of its own.

    python foreign_log.py write ROWS.parquet FOLDER ID EVENTS
    python foreign_log.py check ROWS.parquet FOLDER ID

ROWS is a log of one item a row, with its propensity. ID is `request_id` or `ranking_id`: what the clicks name. EVENTS
is the file of clicks: .ndjson, .csv or .parquet. `check` reads the log that was joined in FOLDER/joined, compares it
with the rows, and prints what pandas computes from the rows alone. Exit code 1 when the log differs from the rows.
"""

import json
import sys
from pathlib import Path

import pandas

PLACES = 3


def read(rows: str) -> pandas.DataFrame:
    data = pandas.read_parquet(rows)
    data["time"] = pandas.to_datetime(data["timestamp"])
    data["id"] = "view/" + data["Unnamed: 0"].astype(str)
    return data


def write_requests(data: pandas.DataFrame, folder: Path, key: str) -> None:
    log = pandas.DataFrame(
        {
            # A request may be ranked again, so a log with ids of rankings repeats those of requests.
            "request_id": data["id"] if key == "request_id" else "user/" + data["user_feature_1"],
            "candidate_id": data["item_id"].astype(str),
            "time": data["time"].dt.floor("ms").astype("datetime64[ms, UTC]").astype("int64"),
            "k": PLACES,
            "position": data["position"],
            "propensity": data["propensity_score"],
            "user_feature_0": data["user_feature_0"],
        }
    )
    if key == "ranking_id":
        log["ranking_id"] = data["id"]
    for hour, rows in log.groupby(data["time"].dt.strftime("dt=%Y-%m-%d/hr=%H")):
        part = folder / "requests" / "requests" / hour / "part-pandas.parquet"
        part.parent.mkdir(parents=True)
        rows.to_parquet(part, index=False)


def write_events(data: pandas.DataFrame, file: Path, key: str) -> None:
    clicked = data[data["click"] == 1]
    events = pandas.DataFrame(
        {
            key: clicked["id"],
            "candidate_id": clicked["item_id"],
            "type": "click",
            "time": clicked["time"] + pandas.Timedelta(seconds=2),
        }
    )
    match file.suffix:
        case ".ndjson":
            events.to_json(file, orient="records", lines=True, date_format="iso")
        case ".csv":
            events.to_csv(file, index=False)
        case ".parquet":
            events.to_parquet(file, index=False)


def check(data: pandas.DataFrame, folder: Path, key: str) -> dict:
    hours = json.loads((folder / "joined" / "manifest.json").read_text())["hours"].values()
    files = [folder / "joined" / file["path"] for hour in hours for file in hour["files"]]
    joined = pandas.concat(pandas.read_parquet(file) for file in files)
    both = joined.merge(data, left_on=key, right_on="id", validate="one_to_one")
    assert len(both) == len(joined) == len(data), (len(both), len(joined), len(data))
    assert (both["candidate_id"] == both["item_id"].astype(str)).all()
    assert (both["shown_position"] == both["position_y"]).all()
    assert (both["propensity"] == both["propensity_score"]).all()
    assert (both["label_engagement"].astype(bool) == (both["click"] == 1)).all()
    assert both["label_engagement"].notna().all()
    clicked = both[both["click"] == 1]
    after = clicked["label_time_engagement"] - clicked["time_x"]
    assert (after == 2000).all(), after.describe()

    weights = 1 / data["item_id"].nunique() / data["propensity_score"]
    return {
        "rows": len(data),
        "clicks": int(data["click"].sum()),
        "IPW": (weights * data["click"]).mean(),
        "SNIPW": (weights * data["click"]).sum() / weights.sum(),
        "effective": weights.sum() ** 2 / (weights**2).sum(),
    }


if __name__ == "__main__":
    action, rows, folder, key = sys.argv[1:5]
    if action == "write":
        write_requests(read(rows), Path(folder), key)
        write_events(read(rows), Path(sys.argv[5]), key)
    else:
        print(json.dumps(check(read(rows), Path(folder), key)))
