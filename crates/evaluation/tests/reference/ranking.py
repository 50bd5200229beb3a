"""Regenerates ranking.json: what scikit-learn, pytrec_eval, ranx, pymoo and the Open Bandit Pipeline give for stored cases.

    pip install scikit-learn pytrec-eval-terrier ranx pymoo && pip install --no-deps obp==0.4.1
    python crates/evaluation/tests/reference/ranking.py

Of obp only the two modules with the NumPy estimators are loaded: the package as a whole wants torch, which they name in signatures alone.
"""

import json
import pathlib
import sys
import types

import numpy as np
import obp
import pytrec_eval

sys.modules["torch"] = types.SimpleNamespace(Tensor=type("Tensor", (), {}))
sys.modules["obp.ope"] = types.ModuleType("obp.ope")
sys.modules["obp.ope"].__path__ = [f"{obp.__path__[0]}/ope"]

from obp.ope.estimators import (
    DoublyRobust,
    InverseProbabilityWeighting,
    SelfNormalizedDoublyRobust,
    SelfNormalizedInverseProbabilityWeighting,
)
from obp.ope.estimators_slate import SlateIndependentIPS, SlateRewardInteractionIPS, SlateStandardIPS
from pymoo.indicators.hv import HV
from pymoo.indicators.igd import IGD
from ranx import Qrels, Run, evaluate
from sklearn.metrics import ndcg_score

rng = np.random.default_rng(11)


def page_case(name, n, k, grades, digits=None):
    scores = rng.permutation(n) / n + rng.uniform(size=n) / (2 * n)
    relevance = rng.integers(0, grades + 1, size=n)
    relevance[0] = grades
    case = {"name": name, "k": k, "relevance": relevance.tolist()}
    if digits is not None:
        scores = np.round(scores, digits)
    else:
        qrels = {"q": {str(i): int(r) for i, r in enumerate(relevance)}}
        run = {"q": {str(i): float(s) for i, s in enumerate(scores)}}
        trec = pytrec_eval.RelevanceEvaluator(qrels, {f"ndcg_cut.{k}", f"map_cut.{k}"}).evaluate(run)["q"]
        case["pytrec_ndcg"] = trec[f"ndcg_cut_{k}"]
        case["pytrec_map"] = trec[f"map_cut_{k}"]
        case["ranx_ndcg"] = float(evaluate(Qrels(qrels), Run(run), f"ndcg@{k}"))
        case["ranx_ndcg_burges"] = float(evaluate(Qrels(qrels), Run(run), f"ndcg_burges@{k}"))
    case["scores"] = scores.tolist()
    case["sklearn_ndcg"] = float(ndcg_score([relevance], [scores], k=k))
    case["sklearn_ndcg_exponential"] = float(ndcg_score([2.0**relevance - 1], [scores], k=k))
    return case


def front_case(name, n, m, digits=None):
    points, reference = rng.uniform(size=(n, 2)), rng.uniform(size=(m, 2))
    if digits is not None:
        points, reference = np.round(points, digits), np.round(reference, digits)
    corner = (0.1, 0.9)  # least gain, most cost
    minimised = points * [-1, 1]
    return {
        "name": name,
        "points": points.tolist(),
        "reference": reference.tolist(),
        "corner": corner,
        "hypervolume": float(HV(ref_point=np.array([-corner[0], corner[1]]))(minimised)),
        "igd": float(IGD(reference * [-1, 1])(minimised)),
    }


def slate_case(name, n, places):
    reward = rng.binomial(1, 0.3, size=(n, places)).astype(float)
    # Conditional propensities of each place; their products are those of prefixes and slates.
    logged, target = (rng.uniform(0.2, 1, size=(n, places)) for _ in range(2))
    position = [rng.uniform(0.1, 1, size=(n, places)) for _ in range(2)]
    prefix = [np.cumprod(p, axis=1) for p in (logged, target)]
    slate = [np.repeat(p[:, -1:], places, axis=1) for p in prefix]
    ids = {"slate_id": np.repeat(np.arange(n), places), "position": np.tile(np.arange(places), n)}

    def each(estimator, key, suffix, pair):
        def estimate(r):
            scores = {f"pscore{key}": pair[0].ravel(), f"evaluation_policy_pscore{suffix}": pair[1].ravel()}
            return float(estimator.estimate_policy_value(reward=r.ravel(), **ids, **scores))

        # Self-normalised: per place, the estimate over the mean weight, which is the estimate of a reward of 1.
        only = [np.eye(places)[l] * np.ones((n, 1)) for l in range(places)]
        normalised = sum(estimate(reward * o) / estimate(o) for o in only)
        weights = (pair[1] / pair[0]).tolist()
        return {"weights": weights, "ips": estimate(reward), "snips": normalised}

    return {
        "name": name,
        "rewards": reward.tolist(),
        "slate": each(SlateStandardIPS(len_list=places), "", "", slate),
        "prefix": each(SlateRewardInteractionIPS(len_list=places), "_cascade", "_cascade", prefix),
        "position": each(SlateIndependentIPS(len_list=places), "_item_position", "_item_position", position),
    }


def action_case(name, n, actions):
    logged = rng.dirichlet(np.ones(actions), size=n)
    target = rng.dirichlet(np.ones(actions), size=n)
    action = np.array([rng.choice(actions, p=p) for p in logged])
    model = rng.uniform(size=(n, actions))
    reward = rng.binomial(1, 0.4, size=n).astype(float)
    rows = np.arange(n)
    log = {"reward": reward, "action": action, "pscore": logged[rows, action], "action_dist": target[:, :, None]}
    q = {"estimated_rewards_by_reg_model": model[:, :, None]}
    return {
        "name": name,
        "rewards": reward.tolist(),
        "logged": log["pscore"].tolist(),
        "target": target[rows, action].tolist(),
        "expected_logged": model[rows, action].tolist(),
        "expected_target": (target * model).sum(axis=1).tolist(),
        "ips": float(InverseProbabilityWeighting().estimate_policy_value(**log)),
        "snips": float(SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(**log)),
        "dr": float(DoublyRobust().estimate_policy_value(**log, **q)),
        "sndr": float(SelfNormalizedDoublyRobust().estimate_policy_value(**log, **q)),
    }


answer = {
    "pages": [
        page_case("binary", 30, 10, 1),
        page_case("graded", 25, 5, 4),
        page_case("fewer than k", 6, 10, 3),
        page_case("two", 2, 3, 1),
        page_case("tied", 40, 10, 3, digits=1),
    ],
    "fronts": [front_case("scattered", 40, 15), front_case("ties", 60, 10, digits=1), front_case("one point", 1, 4)],
    "slates": [slate_case("three places", 20, 3), slate_case("ten places", 12, 10)],
    "actions": [action_case("five actions", 60, 5), action_case("two actions", 30, 2)],
}
path = pathlib.Path(__file__).with_name("ranking.json")
path.write_text(json.dumps(answer, indent=None) + "\n")
