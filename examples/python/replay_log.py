"""Ranks the requests of an impression log once more, as a feed would: recent traffic for `weights preview`, `solve` and `log export`.

Start a system with `counterweight up`, then, in the project's folder:

    pip install -r examples/python/requirements.txt
    mkdir -p /tmp/stubs && python -m grpc_tools.protoc -I proto --python_out=/tmp/stubs --grpc_python_out=/tmp/stubs $(find proto -name '*.proto')
    PYTHONPATH=/tmp/stubs python examples/python/replay_log.py data/sample/impressions.parquet
"""

import argparse
import itertools
import json

import grpc
import pyarrow.parquet
from counterweight.v1 import ranking_pb2, ranking_pb2_grpc
from inference import inference_pb2


def rows(path):
    """The rows of a log, one after another, a piece of the file at a time."""
    for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
        yield from batch.to_pylist()


def tensor(feature, values):
    """A feature as an Open Inference tensor, of the kind that the combiner describes; None is a missing value."""
    Tensor, Contents = inference_pb2.ModelInferRequest.InferInputTensor, inference_pb2.InferTensorContents
    shape, missing = [len(values)], float("nan")
    if feature.kind.startswith("vector"):
        length = feature.shape[1]
        vectors = [[missing] * length if value is None else value for value in values]
        return Tensor(name=feature.name, datatype="FP32", shape=shape + [length],
                      contents=Contents(fp32_contents=itertools.chain.from_iterable(vectors)))
    if feature.kind in ("text", "categorical", "list"):
        texts = [json.dumps(value or []) if feature.kind == "list" else value or "" for value in values]
        return Tensor(name=feature.name, datatype="BYTES", shape=shape, contents=Contents(bytes_contents=[t.encode() for t in texts]))
    numbers = [missing if value is None else float(value) for value in values]
    return Tensor(name=feature.name, datatype="FP64", shape=shape, contents=Contents(fp64_contents=numbers))


def request(candidates, features, profile):
    """The candidates of one request, with what the models take of them."""
    first = candidates[0]
    inputs = []
    for feature in features:
        if feature.name in first:
            of = candidates[:1] if feature.side == "context" else candidates
            inputs.append(tensor(feature, [row[feature.name] for row in of]))
    return ranking_pb2.RankRequest(request_id=first["request_id"], unit_id=first["user_id"] or "", profile=profile, limit=first["k"],
                                   candidate_ids=[row["candidate_id"] for row in candidates], inputs=inputs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", help="impression log (Parquet, data/SCHEMA.md) with the features that the models take")
    parser.add_argument("--address", default="127.0.0.1:7000", help="host:port of the combiner")
    parser.add_argument("--profile", default="default")
    parser.add_argument("--skip", type=int, default=0, help="requests at the beginning to leave out")
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
