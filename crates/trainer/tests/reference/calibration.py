"""Prints the expected values of the calibrators, from scikit-learn and scipy.

usage: python calibration.py > calibration.json        (needs scikit-learn; 1.9 was used)

The Rust test in `../it/calibration.rs` compares the fits of the trainer with these numbers.
"""

import json
import sys

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

PROBES = [-50.0, -6.0, -2.5, -1.0, -0.25, 0.0, 0.1, 0.75, 1.5, 3.0, 8.0, 50.0]


def targets(y):
    """Platt's smoothed targets."""
    positives = y.sum()
    return np.where(y, (positives + 1) / (positives + 2), 1 / (len(y) - positives + 2))


def logistic(x, t):
    """Unpenalised logistic regression on soft targets: every row occurs with both labels, weighted."""
    fit = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-14, max_iter=10000)
    fit.fit(np.vstack([x, x]), np.repeat([1, 0], len(t)), sample_weight=np.concatenate([t, 1 - t]))
    return fit.coef_[0], fit.intercept_[0]


def constrained(x, t):
    """The same, with coefficients >= 0 and a general solver."""
    def loss(w):
        z = x @ w[:-1] + w[-1]
        r = expit(z) - t
        return (-t * log_expit(z) - (1 - t) * log_expit(-z)).mean(), np.append(x.T @ r, r.sum()) / len(t)

    bounds = [(0, None)] * x.shape[1] + [(None, None)]
    start = np.append(np.full(x.shape[1], 0.5), 0.0)
    result = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B",
                      options=dict(ftol=1e-16, gtol=1e-12, maxiter=100000, maxfun=1000000, maxcor=30))
    return result.x[:-1], result.x[-1]


def case(name, z, y):
    t = targets(y)
    fit = (lambda x: logistic(x, t)) if name == "overconfident" else (lambda x: constrained(x, t))
    slope, intercept = fit(z[:, None])
    (a, b), c = fit(np.column_stack([log_expit(z), -log_expit(-z)]))
    probes = np.array(PROBES)
    isotonic = IsotonicRegression(out_of_bounds="clip").fit(z, y)
    return dict(
        name=name, logits=z.tolist(), labels=[bool(v) for v in y], probes=PROBES,
        platt=expit(slope[0] * probes + intercept).tolist(),
        beta=expit(a * log_expit(probes) - b * log_expit(-probes) + c).tolist(),
        isotonic=isotonic.predict(probes).tolist(),
        isotonic_x=isotonic.X_thresholds_.tolist(), isotonic_y=isotonic.y_thresholds_.tolist(),
    )


def main():
    rng = np.random.default_rng(7)
    cases = []
    z = rng.normal(-1, 2, 400).round(2)  # rounded, so that there are ties
    cases.append(case("overconfident", z, rng.random(400) < expit(0.4 * z + 0.3)))
    z = rng.normal(0, 2, 300)
    cases.append(case("one side flat", z, rng.random(300) < np.where(z > 0, expit(2.5 * z) * 0.9, 0.45)))
    z = rng.normal(0, 1, 100)
    cases.append(case("upside down", z, rng.random(100) < expit(-z)))
    z = np.linspace(-1, 1, 20)
    cases.append(case("separable", z, z > 0))
    json.dump(cases, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
