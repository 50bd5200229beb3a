"""The front on a grid of weights, as one would write it with numpy: no loop over requests.

    python front_numpy.py COLUMNS CANDIDATES K WEIGHTS

COLUMNS holds engagement, then bait, as little-endian doubles. Prints JSON: seconds (median of 1 run; it is long) and the curves.
"""

import json
import sys
import time

import numpy as np

path, candidates, k, count = sys.argv[1], *map(int, sys.argv[2:5])
columns = np.fromfile(path, dtype="<f8").reshape(2, -1, candidates)
engagement, bait = columns
weights = np.concatenate([[0.0], np.geomspace(1e-3, 1e3, count - 1)])


def flat(weight):
    score = engagement - weight * bait
    page = np.argpartition(-score, k, axis=1)[:, :k]
    return [np.take_along_axis(column, page, axis=1).mean() for column in columns]


discount = 1 / np.log2(np.arange(k) + 2)


def log2(weight):
    score = engagement - weight * bait
    page = np.argpartition(-score, k, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(score, page, axis=1), axis=1)
    page = np.take_along_axis(page, order, axis=1)
    return [(np.take_along_axis(column, page, axis=1) @ discount).mean() / discount.sum() for column in columns]


answer = {"weights": weights.tolist()}
for name, measure in [("flat", flat), ("log2", log2)]:
    clock = time.perf_counter()
    curves = np.array([measure(weight) for weight in weights])
    answer[f"{name}_seconds"] = time.perf_counter() - clock
    answer[name] = curves.T.tolist()
json.dump(answer, sys.stdout)
