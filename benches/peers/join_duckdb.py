"""Joins the parts of a request log with those of an event log by SQL, writes Parquet with the same columns as
`counterweight log join`, and prints seconds and peak MiB. Its labels must be those in `joined/`.

    python join_duckdb.py FOLDER
"""

import json
import resource
import sys
import time
from pathlib import Path

import duckdb

WINDOW = 24 * 3_600_000
EARLY = 5 * 60 * 1000

folder = Path(sys.argv[1])
out = folder / "duckdb.parquet"
out.unlink(missing_ok=True)
db = duckdb.connect()
db.execute("set threads = 2")
begin = time.perf_counter()
db.execute(
    f"""
    copy (
        with once as (
            select event_id, any_value(ranking_id) as ranking_id, any_value(candidate_id) as candidate_id,
                any_value(type) as type, any_value(time) as time
            from read_parquet('{folder}/events/events/*/*/*.parquet') group by event_id
        ),
        requests as (select * from read_parquet('{folder}/requests/requests/*/*/*.parquet', hive_partitioning = false)),
        counted as (
            select r.ranking_id, r.candidate_id, count(*) as events,
                count(*) filter (where type = 'engagement') > 0 as engaged,
                count(*) filter (where type = 'engagement_bait') > 0 as baited
            from requests r join once e on r.ranking_id = e.ranking_id and r.candidate_id = e.candidate_id
            where r.position is not null and e.time between r.time - {EARLY} and r.time + {WINDOW}
            group by all
        )
        select r.*, coalesce(c.events, 0) as events,
            case when r.position is not null then coalesce(c.engaged, false) end as label_engagement,
            case when r.position is not null then coalesce(c.baited, false) end as label_engagement_bait
        from requests r left join counted c on r.ranking_id = c.ranking_id and r.candidate_id = c.candidate_id
    ) to '{out}' (format parquet, compression zstd)
    """
)
seconds = time.perf_counter() - begin
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
manifest = json.loads((folder / "joined/manifest.json").read_text())
files = [str(folder / "joined" / file["path"]) for hour in manifest["hours"].values() for file in hour["files"]]
columns = "count(*), count(label_{0}), count(*) filter (where label_{0})"
wanted = ", ".join(columns.format(name) for name in ("engagement", "engagement_bait")) + ", sum(events)"
ours = db.execute(f"select {wanted} from read_parquet(?, union_by_name = true)", [files]).fetchall()
theirs = db.execute(f"select {wanted} from read_parquet('{out}')").fetchall()
if ours != theirs:
    sys.exit(f"the labels differ: {ours} and {theirs}")
print(seconds, peak)
