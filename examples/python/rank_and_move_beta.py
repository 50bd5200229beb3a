"""Ranks four posts of the shipped sample, moves β, ranks them again, and puts β back.

Start a system with `counterweight up`, then, in the project's folder:

    pip install -r examples/python/requirements.txt
    mkdir -p /tmp/stubs && python -m grpc_tools.protoc -I proto --python_out=/tmp/stubs --grpc_python_out=/tmp/stubs $(find proto -name '*.proto')
    PYTHONPATH=/tmp/stubs python examples/python/rank_and_move_beta.py --address 127.0.0.1:7000
"""

import argparse
import json

import grpc
from counterweight.v1 import ranking_pb2, ranking_pb2_grpc, weights_pb2, weights_pb2_grpc
from inference import inference_pb2

# Of the user and the moment: sent once for all candidates.
CONTEXT = {
    "user_sessions_7d": 18, "user_reports_90d": 1, "user_account_days": 660, "user_country": "KE", "user_device": "android",
    "user_favourite_topic": "travel", "user_followed_topics": ["travel", "pets"], "hour": 19, "daypart": "evening", "on_wifi": True,
    "user_embedding": [-0.25, 0.19, 0.31, -0.44, 0.06, 0.5, -0.13, 0.25],
}
# Of each candidate. None is a missing value.
SHARED = {
    "post_format": "photo", "post_age_hours": 5.0, "post_media_count": 1, "post_video_seconds": None, "post_has_link": False,
    "post_hashtags": [], "post_embedding": [-0.19, 0.25, 0.25, -0.31, 0.13, 0.38, -0.06, 0.19], "author_id": "a000250",
    "author_followers": 4200, "author_verified": True, "author_posts_30d": 30, "author_likes_30d": 1500, "author_strikes_365d": 0,
}
POSTS = {
    "ferry": {**SHARED, "post_topic": "travel", "post_text": "News from the island: the ferry was 7 minutes late and nobody minded."},
    "tag": {**SHARED, "post_topic": "travel", "post_text": "Tag somebody who needs to see this island!!!", "author_strikes_365d": 2},
    "share": {**SHARED, "post_topic": "pets", "post_text": "SHARE if you think senior dogs deserve better 👇", "author_strikes_365d": 3},
    "vet": {**SHARED, "post_topic": "pets", "post_text": "15 photos from the vet, taken two weeks ago."},
}


def tensor(name, values):
    """One feature as an Open Inference tensor: a row per value, typed by what the first present value is."""
    Tensor, Contents = inference_pb2.ModelInferRequest.InferInputTensor, inference_pb2.InferTensorContents
    first = next((value for value in values if value is not None), 0.0)
    shape = [len(values)]
    if isinstance(first, list) and first and isinstance(first[0], float):  # a vector
        datatype, shape = "FP32", [len(values), len(first)]
        contents = Contents(fp32_contents=[number for value in values for number in value])
    elif isinstance(first, list):  # a list of categories is a JSON array
        datatype, contents = "BYTES", Contents(bytes_contents=[json.dumps(value or []).encode() for value in values])
    elif isinstance(first, str):  # text or a category
        datatype, contents = "BYTES", Contents(bytes_contents=[(value or "").encode() for value in values])
    else:  # a number or a boolean; NaN is a missing value
        datatype = "FP64"
        contents = Contents(fp64_contents=[float("nan") if value is None else float(value) for value in values])
    return Tensor(name=name, datatype=datatype, shape=shape, contents=contents)


def rank(ranking, profile):
    inputs = [tensor(name, [value]) for name, value in CONTEXT.items()]
    inputs += [tensor(name, [post[name] for post in POSTS.values()]) for name in next(iter(POSTS.values()))]
    request = ranking_pb2.RankRequest(profile=profile, candidate_ids=list(POSTS), inputs=inputs)
    answer = ranking.Rank(request, timeout=2)
    objectives = [f"{objective.weight:+g} · P({objective.name})" for objective in answer.objectives]
    print(f"\nscore = {' '.join(objectives)}   (revision {answer.revision})")
    for place, candidate in enumerate(answer.candidates, 1):
        terms = "".join(f"  P = {p:.4f} adds {c:+.4f}" for p, c in zip(candidate.probabilities, candidate.contributions))
        print(f"{place}. {candidate.id:<6} score {candidate.score:+.4f}{terms}")
    return [candidate.id for candidate in answer.candidates]


def set_beta(weights, profile, objective, beta, reason):
    """Moves one weight, if nobody else moved this profile meanwhile. Gives the weight as it was."""
    now = weights.GetWeights(weights_pb2.GetWeightsRequest(profile=profile), timeout=2).profiles[0]
    change = weights_pb2.ProfileChange(profile=now.profile, expected_revision=now.revision)
    change.weights.add(objective=objective, weight=beta)
    weights.SetWeights(weights_pb2.SetWeightsRequest(changes=[change], author="example", reason=reason), timeout=2)
    return next(weight.weight for weight in now.weights if weight.objective == objective)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="127.0.0.1:7000", help="host:port of the combiner")
    parser.add_argument("--profile", default="default")
    parser.add_argument("--objective", default="engagement_bait", help="whose weight is moved")
    parser.add_argument("--beta", type=float, default=-4.0, help="the new weight")
    options = parser.parse_args()
    with grpc.insecure_channel(options.address) as channel:
        ranking = ranking_pb2_grpc.RankingServiceStub(channel)
        weights = weights_pb2_grpc.WeightsServiceStub(channel)
        before = set_beta(weights, options.profile, options.objective, 0.0, "example: bait costs nothing")
        try:
            free = rank(ranking, options.profile)
            set_beta(weights, options.profile, options.objective, options.beta, "example: bait costs a lot")
            dear = rank(ranking, options.profile)
        finally:
            set_beta(weights, options.profile, options.objective, before, "example: as it was")
    print("\nThe order changed." if free != dear else "\nThe order stayed the same.")


if __name__ == "__main__":
    main()
