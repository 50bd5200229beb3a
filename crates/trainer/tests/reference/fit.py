"""Prints small matrices and the coefficients that scikit-learn finds for them, which `fit` must match.

usage: python fit.py > fit.json        (scikit-learn 1.9, numpy 2.4)

The penalty of `fit` applies to standardised columns, so scikit-learn fits standardised columns, and
its coefficients are converted back to the units of the columns here.
"""

import json

import numpy
from sklearn.linear_model import LogisticRegression


def case(name, matrix, labels, alpha):
    mean = matrix.mean(axis=0)
    sd = matrix.std(axis=0)
    factor = numpy.divide(1.0, sd, out=numpy.zeros_like(sd), where=sd > 1e-12 * numpy.abs(mean))
    model = LogisticRegression(solver="newton-cholesky", C=1.0 / alpha, tol=1e-14, max_iter=1000)
    model.fit((matrix - mean) * factor, labels)
    coefficients = model.coef_[0] * factor
    return {
        "name": name,
        "alpha": alpha,
        "columns": matrix.T.tolist(),
        "labels": labels.tolist(),
        "coefficients": coefficients.tolist(),
        "intercept": float(model.intercept_[0] - coefficients @ mean),
    }


def labels_at(rng, logits, rate):
    """Labels of a logistic law, shifted so that a share of `rate` of them is true."""
    noisy = logits + rng.logistic(size=len(logits))
    return noisy > numpy.quantile(noisy, 1.0 - rate)


rng = numpy.random.default_rng(5)
plain = rng.normal(size=(120, 3))
law = plain @ [1.0, -0.5, 0.0]
units = plain * [1000.0, 1e-4, 1.0] + [5e4, 3.0, -1.0]
collinear = numpy.column_stack([plain, plain[:, 0] + plain[:, 1], 2.0 * plain[:, 2]])
constant = numpy.column_stack([plain[:, 0], numpy.full(120, 0.1), plain[:, 1]])
wide = rng.normal(size=(20, 40))
cases = [
    case("3 in 10 true", plain, labels_at(rng, law, 0.3), 1.0),
    case("7 in 10 true", plain, labels_at(rng, law, 0.7), 1.0),
    case("half true", plain, labels_at(rng, law, 0.5), 0.01),
    case("foreign units", units, labels_at(rng, law, 0.3), 0.1),
    case("collinear", collinear, labels_at(rng, law, 0.4), 0.5),
    case("constant column", constant, labels_at(rng, law, 0.4), 2.0),
    case("more columns than rows", wide, labels_at(rng, wide[:, 0], 0.4), 1.0),
    case("separable", plain, law > 0.3, 1e-3),
    case("strong penalty", plain, labels_at(rng, law, 0.2), 1e4),
]
print(json.dumps(cases, indent=None))
