"""What buckets, draws and statistics have to be, by hashlib and SciPy. Writes audience.json beside itself.

    python -m venv venv && venv/bin/pip install scipy
    venv/bin/python crates/weights/tests/reference/audience.py
"""

import hashlib
import json
import pathlib

from scipy import stats

WORD = (1 << 64) - 1


def first64(data: bytes) -> int:
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big")


def bucket(salt: str, unit: str) -> int:
    return first64(salt.encode() + b"\0" + unit.encode()) * 10_000 >> 64


def splitmix64(state: int) -> int:
    z = (state + 0x9E3779B97F4A7C15) & WORD
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & WORD
    return z ^ (z >> 31)


def draw(kind: str, low: float, high: float, seed: int, request: str) -> dict:
    own = first64(seed.to_bytes(8, "big") + request.encode()) >> 1
    u = ((splitmix64(own) >> 11) + 0.5) / 2**53
    law = {"uniform": stats.uniform(low, high - low), "log_uniform": stats.loguniform(low, high) if low else None}[kind]
    return {"kind": kind, "low": low, "high": high, "profile_seed": str(seed), "request": request, "seed": own, "lambda": float(law.ppf(u))}


units = [("salt", "user-1"), ("salt", "user-2"), ("pepper", "user-1"), ("", "ü"), ("2026-layout", "42"), ("salt", "x" * 300)]
draws = [("uniform", 0.5, 2.5), ("uniform", 0.0, 1.0), ("log_uniform", 0.1, 10.0), ("log_uniform", 1e-3, 2.0)]
requests = [(7, "r1"), (7, "r2"), (WORD, "0192-x"), (1, "")]
reference = {
    "buckets": [[salt, unit, bucket(salt, unit)] for salt, unit in units],
    "draws": [draw(*law, *request) for law in draws for request in requests],
    # [degrees of freedom, quantile at 0.001, at 0.999]
    "chi_squared": [[dof, *stats.chi2.ppf([0.001, 0.999], dof).tolist()] for dof in (9_999, 361)],
    # [n, quantile at 0.999 of the Kolmogorov-Smirnov statistic]
    "kolmogorov_smirnov": [[100_000, float(stats.kstwo.ppf(0.999, 100_000))]],
}
path = pathlib.Path(__file__).with_name("audience.json")
path.write_text(json.dumps(reference, indent=1, ensure_ascii=False) + "\n")
