"""Regenerates preview.json: what NumPy, SciPy and statsmodels give for stored requests that are ranked before and after a change of weights.

    pip install numpy scipy statsmodels
    python crates/ranking/tests/reference/preview.py
"""

import json
import pathlib

import numpy as np
import statsmodels.api as sm
from scipy.stats import kendalltau

rng = np.random.default_rng(23)


def places(scores):
    """Place by candidate: best first, ties by position."""
    places = np.empty(len(scores), dtype=int)
    places[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    return places


def estimate(values, units):
    """A mean with its interval, clustered by unit."""
    fit = sm.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": units})
    low, high = fit.conf_int(alpha=0.05)[0]
    return [float(fit.params[0]), float(low), float(high)]


def case(name, requests, units, k, most, objectives, digits):
    unit = rng.integers(0, units, size=requests)
    log, shown, taus, sets, orders = [], [], [], 0, 0
    for request in range(requests):
        n = int(rng.integers(1, most + 1))
        columns = np.round(rng.uniform(size=(objectives, n)), digits)
        before = np.concatenate([[1.0], np.round(rng.uniform(-1, 0, size=objectives - 1), 2)])
        after = before.copy()
        after[1] -= 0.5
        old, new = places(before @ columns), places(after @ columns)
        page = min(k, n)
        shown.append([columns[:, old < page].mean(axis=1), columns[:, new < page].mean(axis=1)])
        sets += set(np.flatnonzero(old < page)) != set(np.flatnonzero(new < page))
        orders += not np.array_equal(np.argsort(old)[:page], np.argsort(new)[:page])
        if n > 1:
            taus.append(kendalltau(old, new).statistic)
        log.append({
            "unit": int(unit[request]),
            "probabilities": columns.tolist(),
            "before": before.tolist(),
            "after": after.tolist(),
        })
    shown = np.array(shown)
    exposures = [
        {
            "before": estimate(shown[:, 0, m], unit),
            "after": estimate(shown[:, 1, m], unit),
            "change": estimate(shown[:, 1, m] - shown[:, 0, m], unit),
        }
        for m in range(objectives)
    ]
    return {
        "name": name,
        "k": k,
        "requests": log,
        "units": len(set(unit.tolist())),
        "exposures": exposures,
        "changed_set": sets / requests,
        "changed_order": orders / requests,
        "rank_correlation": float(np.mean(taus)),
    }


answer = [
    case("a few users", 40, 9, 3, 20, 2, 6),
    case("three objectives", 30, 20, 5, 30, 3, 6),
    case("two users", 12, 2, 2, 6, 2, 6),
]
path = pathlib.Path(__file__).with_name("preview.json")
path.write_text(json.dumps(answer, indent=None) + "\n")
