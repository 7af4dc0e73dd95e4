"""How far two models' answers to the same n rows are from each other. Pure functions on probabilities of Yes, (n,).

    JSD             mean of (KL(p || m) + KL(q || m)) / 2, m = (p + q) / 2: Jensen and Shannon's, at most ln 2
    half Jeffreys   mean of (KL(p || q) + KL(q || p)) / 2: what the code of E2URec calls JSD, unbounded
    L2              mean of the Euclidean length of the difference of the two distributions
    KS              largest difference of the distribution functions of the scores (Kolmogorov and Smirnov)

Nats, over the two answers. The mean over no rows is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import rel_entr

from fedrec.metrics import Scores

_LEAST = 1e-12  # as the published code has it


def jsd(p: Scores, q: Scores) -> float:
    middle = (p + q) / 2
    return _mean((_kl(p, middle) + _kl(q, middle)) / 2)


def half_jeffreys(p: Scores, q: Scores) -> float:
    p, q = (np.clip(each, _LEAST, 1 - _LEAST) for each in (p, q))
    return _mean((_kl(p, q) + _kl(q, p)) / 2)


def l2(p: Scores, q: Scores) -> float:
    return _mean(math.sqrt(2) * np.abs(p - q))


def ks(p: Scores, q: Scores) -> float:
    if not len(p) or not len(q):
        return math.nan
    at = np.concatenate([p, q])
    below = (np.searchsorted(np.sort(each), at, "right") / len(each) for each in (p, q))
    return float(np.abs(np.subtract(*below)).max())


DISTANCES: dict[str, Callable[[Scores, Scores], float]] = {
    "jsd": jsd,
    "half_jeffreys": half_jeffreys,
    "l2": l2,
    "ks": ks,
}


def _kl(p: Scores, q: Scores) -> Scores:
    return np.asarray(rel_entr(p, q) + rel_entr(1 - p, 1 - q))


def _mean(values: Scores) -> float:
    return float(values.mean()) if len(values) else math.nan
