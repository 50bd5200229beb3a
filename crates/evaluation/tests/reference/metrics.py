"""Regenerates metrics.json, the values that scikit-learn gives for stored cases.

    pip install scikit-learn && python crates/evaluation/tests/reference/metrics.py
"""

import json
import pathlib

import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

rng = np.random.default_rng(7)
cases = []
for name, n, digits in [("tie_free", 200, None), ("many_ties", 300, 1), ("certain", 60, 0), ("small", 5, 2)]:
    p = rng.uniform(size=n)
    y = rng.uniform(size=n) < p**1.5
    y[:2] = [True, False]
    if digits is not None:
        p = np.round(p, digits)
    rate, mean = calibration_curve(y, p, n_bins=10)
    bins = np.searchsorted(np.linspace(0, 1, 11)[1:-1], p)
    share = np.bincount(bins, minlength=10)[np.unique(bins)] / n
    cases.append(
        {
            "name": name,
            "probabilities": p.tolist(),
            "labels": y.tolist(),
            "auc": roc_auc_score(y, p),
            "pr_auc": average_precision_score(y, p),
            "log_loss": log_loss(y, p),
            "brier": brier_score_loss(y, p),
            "positive_rate": rate.tolist(),
            "mean_probability": mean.tolist(),
            "ece": float(np.sum(share * np.abs(rate - mean))),
        }
    )
path = pathlib.Path(__file__).with_name("metrics.json")
path.write_text(json.dumps(cases, indent=1) + "\n")
