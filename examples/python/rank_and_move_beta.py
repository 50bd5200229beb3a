"""Ranks the candidates of a file, changes β, ranks them again, and restores β.

Start a system with `counterweight up`, then, in the project's folder:

    pip install -r examples/python/requirements.txt
    mkdir -p /tmp/stubs && python -m grpc_tools.protoc -I proto --python_out=/tmp/stubs --grpc_python_out=/tmp/stubs $(find proto -name '*.proto')
    PYTHONPATH=/tmp/stubs python examples/python/rank_and_move_beta.py data/sample/candidates.ndjson --address 127.0.0.1:7000
"""

import argparse
import os
import json

import grpc
from counterweight.v1 import ranking_pb2, ranking_pb2_grpc, weights_pb2, weights_pb2_grpc
from features import rank_request


def rank(ranking, candidates, profile):
    features = ranking.DescribeRanking(ranking_pb2.DescribeRankingRequest(), timeout=10).features
    answer = ranking.Rank(rank_request(candidates, features, profile=profile, limit=5), timeout=10)
    objectives = [f"{objective.weight:+g} · P({objective.name})" for objective in answer.objectives]
    print(f"\nscore = {' '.join(objectives)}   (revision {answer.revision})")
    for place, candidate in enumerate(answer.candidates, 1):
        terms = "".join(f"  P = {p:.4f} adds {c:+.4f}" for p, c in zip(candidate.probabilities, candidate.contributions))
        print(f"{place}. {candidate.id:<10} score {candidate.score:+.4f}{terms}")
    return [candidate.id for candidate in answer.candidates]


def set_beta(weights, profile, objective, beta, reason):
    """Sets one weight, unless someone else changed the profile meanwhile. Returns the old weight."""
    now = weights.GetWeights(weights_pb2.GetWeightsRequest(profile=profile), timeout=10).profiles[0]
    change = weights_pb2.ProfileChange(profile=now.profile, expected_revision=now.revision)
    change.weights.add(objective=objective, weight=beta)
    cause = weights_pb2.Cause(author="example", reason=reason)
    weights.SetWeights(weights_pb2.SetWeightsRequest(changes=[change], cause=cause), timeout=10)
    return next(weight.weight for weight in now.weights if weight.objective == objective)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("candidates", help="the candidates of one request (NDJSON); null is a missing value")
    parser.add_argument("--address", default=os.environ.get("COUNTERWEIGHT_ADDRESS", "127.0.0.1:7000"), help="host:port of the combiner")
    parser.add_argument("--profile", default="default")
    parser.add_argument("--objective", default="engagement_bait", help="the objective whose weight to change")
    parser.add_argument("--beta", type=float, default=-4.0, help="the new weight")
    options = parser.parse_args()
    with open(options.candidates, encoding="utf-8") as file:
        candidates = [json.loads(line) for line in file]
    with grpc.insecure_channel(options.address) as channel:
        ranking = ranking_pb2_grpc.RankingServiceStub(channel)
        weights = weights_pb2_grpc.WeightsServiceStub(channel)
        before = set_beta(weights, options.profile, options.objective, 0.0, "example: bait costs nothing")
        try:
            free = rank(ranking, candidates, options.profile)
            set_beta(weights, options.profile, options.objective, options.beta, "example: bait costs a lot")
            dear = rank(ranking, candidates, options.profile)
        finally:
            set_beta(weights, options.profile, options.objective, before, "example: the old weight again")
    print("\nThe order changed." if free != dear else "\nThe order stayed the same.")


if __name__ == "__main__":
    main()
