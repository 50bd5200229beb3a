"""Joins the parts of a request log with those of an event log by SQL, and compares the labels with those
of `counterweight log join`: a window of 24 hours, and 36 hours to arrive.

    python tests/python/join_by_sql.py FOLDER

FOLDER has `requests/`, `events/` and `joined/`. Exit code 1 when a label differs.
"""

import json
import sys
from pathlib import Path

import duckdb

HOUR = 3_600_000
WINDOW = 24 * HOUR
GRACE = 36 * HOUR
EARLY = 5 * 60 * 1000

folder = Path(sys.argv[1])
manifest = json.loads((folder / "joined/manifest.json").read_text())
files = [str(folder / "joined" / file["path"]) for hour in manifest["hours"].values() for file in hour["files"]]
db = duckdb.connect()
db.execute(
    f"""
    create view requests as select ranking_id, candidate_id, time, position
        from read_parquet('{folder}/requests/requests/*/*/*.parquet', union_by_name = true);
    create view events as select distinct event_id, ranking_id, candidate_id, type, time, min(received) as received
        from read_parquet('{folder}/events/events/*/*/*.parquet', union_by_name = true)
        group by event_id, ranking_id, candidate_id, type, time;
    """
)
joined = db.read_parquet(files, union_by_name=True)
labels = 0
for objective in ("engagement", "engagement_bait"):
    differing = db.sql(
        f"""
        with expected as (
            select r.ranking_id, r.candidate_id, r.position is not null as shown,
                count(e.event_id) > 0 as label,
                min(greatest(e.time, r.time)) as decided
            from requests r left join events e
                on e.ranking_id = r.ranking_id and e.candidate_id = r.candidate_id and e.type = '{objective}'
                and e.time between r.time - {EARLY} and r.time + {WINDOW}
                and e.received <= (r.time // {HOUR} + 1) * {HOUR} + {WINDOW} + {GRACE}
            group by all
        )
        select count(*) as rows,
            count(*) filter (where j.label_{objective} is distinct from (case when x.shown then x.label end)) as other,
            count(*) filter (where x.shown and x.label and j.label_time_{objective} is distinct from x.decided) as times,
            count(*) filter (where x.shown and x.label) as positive
        from expected x full join joined j
            on x.ranking_id = j.ranking_id and x.candidate_id = j.candidate_id
        """
    ).fetchall()
    [(rows, other, times, positive)] = differing
    print(f"{objective}: {rows} rows, {positive} positive, {other} labels differ, {times} times differ")
    labels += positive
    if other or times:
        sys.exit(1)
if not labels:
    sys.exit("no row is positive")
