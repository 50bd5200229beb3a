"""Opens Parquet files in pandas, pyarrow, polars and DuckDB, and filters, sorts and joins them there.

    python open_tables.py FILE...

Prints the number of rows of each file, one a line. Fails if a reader refuses a file or finds another number.
"""

import sys

import duckdb
import pandas
import polars
import pyarrow
import pyarrow.compute
import pyarrow.parquet


def nested(kind: pyarrow.DataType) -> bool:
    return pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind)


def check(path: str) -> int:
    table = pyarrow.parquet.read_table(path)
    views = [field.name for field in table.schema if "view" in str(field.type)]
    assert not views, f"{path}: {views} have types that few readers know"
    flat = table.select([field.name for field in table.schema if not nested(field.type)])
    # A column of text where there is one: that is the type which readers differ about.
    texts = [field.name for field in flat.schema if field.type == pyarrow.string()]
    key = (texts or flat.column_names)[0]
    first = flat.column(key)[0]
    expected = flat.filter(pyarrow.compute.equal(flat[key], first)).num_rows
    assert expected > 0, path
    assert flat.sort_by(key).num_rows == table.num_rows, path
    keys = flat.group_by(key).aggregate([])
    assert flat.join(keys, keys=key, join_type="inner").num_rows == table.num_rows, path

    frame = pandas.read_parquet(path)
    assert len(frame) == table.num_rows, path
    assert (frame[key] == first.as_py()).sum() == expected, path
    assert len(frame.sort_values(key).merge(frame[[key]].drop_duplicates(), on=key)) == len(frame)

    frame = polars.read_parquet(path)
    assert frame.filter(polars.col(key) == first.as_py()).height == expected, path
    assert frame.sort(key).join(frame.select(key).unique(), on=key).height == table.num_rows, path

    # The path and the value are bound, the column is quoted: names may hold anything.
    column = '"' + key.replace('"', '""') + '"'
    (found,) = duckdb.execute(
        f"SELECT count(*) FROM read_parquet($1) WHERE {column} = $2", [path, first.as_py()]
    ).fetchone()
    assert found == expected, path
    (found,) = duckdb.execute(
        f"SELECT count(*) FROM (SELECT * FROM read_parquet($1) ORDER BY {column}) "
        f"JOIN (SELECT DISTINCT {column} FROM read_parquet($1)) USING ({column})",
        [path],
    ).fetchone()
    assert found == table.num_rows, path
    return table.num_rows


for path in sys.argv[1:]:
    print(check(path))
