"""Sends the requests of an impression log to a combiner, which makes them recent requests for `weights preview`, `solve` and
`log export`.

Start a system with `counterweight up`, then, in the project's folder:

    pip install -r examples/python/requirements.txt
    mkdir -p /tmp/stubs && python -m grpc_tools.protoc -I proto --python_out=/tmp/stubs --grpc_python_out=/tmp/stubs $(find proto -name '*.proto')
    PYTHONPATH=/tmp/stubs python examples/python/replay_log.py data/sample/impressions.parquet
"""

import argparse
import itertools
import os

import grpc
import pyarrow.parquet
from counterweight.v1 import ranking_pb2, ranking_pb2_grpc
from features import rank_request


def rows(path):
    """Reads the rows of a log one after another, without loading the whole file."""
    for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
        yield from batch.to_pylist()


def request(candidates, features, profile):
    """The Rank request for the candidates of one logged request."""
    first = candidates[0]
    return rank_request(candidates, features, profile=profile, request_id=first["request_id"], unit_id=first["user_id"] or "",
                        limit=first["k"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", help="impression log (Parquet, data/SCHEMA.md) with the features that the models read")
    parser.add_argument("--address", default=os.environ.get("COUNTERWEIGHT_ADDRESS", "127.0.0.1:7000"), help="host:port of the combiner")
    parser.add_argument("--profile", default="default")
    parser.add_argument("--skip", type=int, default=0, help="how many requests at the beginning to leave out")
    parser.add_argument("--requests", type=int, help="how many to rank [default: all that follow]")
    options = parser.parse_args()
    with grpc.insecure_channel(options.address) as channel:
        ranking = ranking_pb2_grpc.RankingServiceStub(channel)
        features = ranking.DescribeRanking(ranking_pb2.DescribeRankingRequest(), timeout=10).features
        groups = itertools.groupby(rows(options.log), key=lambda row: row["request_id"])
        last = None if options.requests is None else options.skip + options.requests
        ranked = 0
        for _, candidates in itertools.islice(groups, options.skip, last):
            ranking.Rank(request(list(candidates), features, options.profile), timeout=10)
            ranked += 1
    print(f"{ranked} requests ranked")


if __name__ == "__main__":
    main()
