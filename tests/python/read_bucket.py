"""Reads the Parquet files below a folder of an S3 bucket with pyarrow, as hive partitions.

    python read_bucket.py HOST:PORT BUCKET/FOLDER

Prints one line for each ranking of each file: the file, the ranking, and its rows.
"""

import sys

import pyarrow.dataset
import pyarrow.fs

address, folder = sys.argv[1:]
bucket = pyarrow.fs.S3FileSystem(
    access_key="test",
    secret_key="test",
    region="us-east-1",
    scheme="http",
    endpoint_override=address,
)
dataset = pyarrow.dataset.dataset(folder, filesystem=bucket, partitioning="hive")
assert {"dt", "hr", "ranking_id"} <= set(dataset.schema.names), dataset.schema.names
for part in dataset.get_fragments():
    rankings = part.to_table(columns=["ranking_id"]).column("ranking_id").value_counts()
    for ranking in rankings.to_pylist():
        print(part.path, ranking["values"], ranking["counts"], sep="\t")
