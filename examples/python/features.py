"""Encodes candidates as the tensors of a Rank request. DescribeRanking reports the kind of every feature. The kind
decides the datatype of the tensor, and how a missing value (None) is sent."""

import itertools
import json

from counterweight.v1 import ranking_pb2
from inference import inference_pb2

NAN = float("nan")


def tensor(feature, values):
    """The tensor of one described feature, with one value per row. None is a missing value of any kind."""
    Tensor, Contents = inference_pb2.ModelInferRequest.InferInputTensor, inference_pb2.InferTensorContents
    rows = len(values)
    if feature.kind.startswith("vector"):  # in a missing vector every element is NaN
        length = feature.shape[1]
        vectors = ([NAN] * length if value is None else value for value in values)
        contents = Contents(fp32_contents=itertools.chain.from_iterable(vectors))
        return Tensor(name=feature.name, datatype="FP32", shape=[rows, length], contents=contents)
    if feature.kind in ("text", "categorical", "list"):  # a missing value is an empty text; a list is a JSON array
        texts = ("" if value is None else value if isinstance(value, str) else json.dumps(value) for value in values)
        contents = Contents(bytes_contents=[text.encode() for text in texts])
        return Tensor(name=feature.name, datatype="BYTES", shape=[rows], contents=contents)
    # A number or a boolean; a missing value is NaN.
    contents = Contents(fp64_contents=[NAN if value is None else float(value) for value in values])
    return Tensor(name=feature.name, datatype="FP64", shape=[rows], contents=contents)


def rank_request(candidates, features, **more):
    """A Rank request for candidates (dictionaries with a candidate_id), with the features that models read.

    A feature of side "context" belongs to the request. It is sent once, with the value of the first candidate.
    """
    rows = {"context": candidates[:1]}
    inputs = [
        tensor(feature, [row.get(feature.name) for row in rows.get(feature.side, candidates)])
        for feature in features
        if any(feature.name in row for row in candidates)
    ]
    ids = [row["candidate_id"] for row in candidates]
    return ranking_pb2.RankRequest(candidate_ids=ids, inputs=inputs, **more)
