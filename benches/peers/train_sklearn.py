"""The other side of `benches --bin train`: fits scikit-learn's LogisticRegression and prints what it did as JSON.

usage: train_sklearn.py ROWS.npy LABELS ALPHA RUNS
"""

import json
import resource
import sys
import time
import warnings

import numpy
from sklearn.linear_model import LogisticRegression

matrix_path, labels_path, alpha, runs = sys.argv[1:]
warnings.simplefilter("error")
matrix = numpy.load(matrix_path)
labels = numpy.fromfile(labels_path, dtype=numpy.uint8)


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


loaded_bytes = peak_bytes()
seconds = []
for _ in range(int(runs)):
    model = LogisticRegression(solver="lbfgs", C=1.0 / float(alpha), max_iter=1000)
    start = time.perf_counter()
    model.fit(matrix, labels)
    seconds.append(time.perf_counter() - start)

print(
    json.dumps(
        {
            "seconds": seconds,
            "coefficients": model.coef_[0].tolist(),
            "intercept": float(model.intercept_[0]),
            "iterations": int(model.n_iter_[0]),
            "gradient": None,
            "loaded_bytes": loaded_bytes,
            "peak_bytes": peak_bytes(),
        }
    )
)
