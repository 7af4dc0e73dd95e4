"""95 % confidence intervals of an AUC and of its change: from the numbers of rows alone, or over people. Pure.

Over people, a margin is z times the standard error of the bootstrap that draws people with replacement (Efron 1979),
all rows of a person together: one person's rows are not independent. Where no place has every row, it is the
infinitesimal jackknife (Jaeckel 1972; of an AUC with clustered rows: Obuchowski, Biometrics 53:567, 1997), the
bootstrap's own limit: a sum over people, to which each place adds its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NORMAL_95 = 1.959963984540054
_DRAWS, _SEED = 200, 0


def mean_margin(values: Sequence[float]) -> float:
    """Half the width of the interval of a mean of people's values; NaN of fewer than two.

    The bootstrap's standard error of a mean is known without drawing: σ / √n.
    """
    if len(values) < 2:
        return float("nan")
    mean = math.fsum(values) / len(values)
    return _NORMAL_95 * math.sqrt(math.fsum((value - mean) ** 2 for value in values)) / len(values)


def pooled_mean_margin(parts: Sequence[tuple[int, float, float]]) -> float:
    """`mean_margin` over the people of all parts, from (people, mean, margin) of each; exact.

    Σᵢ (xᵢ - x̄)² is the sum of each part's own and of n (its mean - x̄)².
    """
    parts = [part for part in parts if part[0]]
    people = sum(count for count, *_ in parts)
    if people < 2:
        return float("nan")
    mean = math.fsum(count * value for count, value, _ in parts) / people
    own = (0.0 if count == 1 else (margin * count / _NORMAL_95) ** 2 for count, _, margin in parts)
    return _NORMAL_95 * math.sqrt(math.fsum([*own, *(n * (value - mean) ** 2 for n, value, _ in parts)])) / people


def margin_of(variance: float) -> float:
    """Half the width of the interval of what has this variance."""
    return _NORMAL_95 * math.sqrt(variance)


def auc_variance(
    levels: NDArray[np.intp], labels: NDArray[Any], people: NDArray[Any], counts: tuple[NDArray[Any], NDArray[Any]]
) -> float:
    """What some people's rows add to the variance of the AUC of all rows: Σᵢ (their influence on it)².

        influence of i = Σ (V - AUC) / m over i's liked rows + Σ (V - AUC) / n over the disliked,

    V the share of the rows of the other label that a row stands on the right side of, a tie counting half.

    Args:
        levels, labels, people: (k,) of their rows: the level of each score, rising with it, 0 or 1, and whose it is.
        counts: (levels,) liked and disliked rows of everybody, m and n in sum; both have some.
    """
    liked, disliked = (each.astype(float) for each in counts)
    m, n = liked.sum(), disliked.sum()
    above_dislikes = (np.cumsum(disliked) - disliked / 2) / n
    below_likes = 1 - (np.cumsum(liked) - liked / 2) / m
    value = float(liked @ above_dislikes / m)
    influence = np.where(labels == 1, (above_dislikes[levels] - value) / m, (below_likes[levels] - value) / n)
    return float((np.bincount(np.unique(people, return_inverse=True)[1], influence) ** 2).sum())


def auc_margin(scores: NDArray[np.float64], labels: NDArray[np.int8], people: NDArray[Any]) -> float:
    """Half the width of the interval of the AUC of n rows, each (n,); NaN of fewer than two people, or of one class.

    The same in whatever order the rows are.
    """
    who = np.unique(people, return_inverse=True)[1]
    level = np.unique(scores, return_inverse=True)[1]
    count = int(who.max(initial=-1)) + 1
    random = np.random.default_rng(_SEED)
    drawn = []
    for _ in range(_DRAWS if count > 1 else 0):
        weight = np.bincount(random.integers(count, size=count), minlength=count)[who]
        liked, others = (np.bincount(level, weight * (labels == label)) for label in (1, 0))
        pairs = liked.sum() * others.sum()
        if pairs:
            drawn.append(float(liked @ (np.cumsum(others) - others / 2) / pairs))
    return _NORMAL_95 * float(np.std(drawn)) if len(drawn) > 1 else float("nan")


def auc_interval(value: float, m: int, n: int) -> tuple[float, float]:
    """The 95 % interval of an AUC of m positive and n negative rows, by Newcombe (Statistics in Medicine 25:559, 2006,
    method 5): all θ with |AUC - θ| ≤ z √V(θ),

        V(θ) = θ(1-θ) [1 + N (1-θ)/(2-θ) + N θ/(1+θ)] / (mn),   N = (m+n)/2 - 1.

    It needs no resampling and holds where DeLong's collapses, with few rows or perfect separation, as one person's rows
    are. It takes rows as independent, which those of one person are not quite.
    """
    pairs = (m + n) / 2 - 1

    def within(theta: float) -> bool:
        spread = 1 + pairs * (1 - theta) / (2 - theta) + pairs * theta / (1 + theta)
        return abs(value - theta) <= _NORMAL_95 * math.sqrt(theta * (1 - theta) * spread / (m * n))

    def end(outside: float) -> float:
        inside = value
        for _ in range(60):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if within(middle) else (inside, middle)
        return inside

    return end(0.0), end(1.0)


def auc_change(before: float, after: float, m: int, n: int) -> tuple[float, float, float]:
    """After minus before, of the same m positive and n negative rows, and its 95 % interval.

    The interval is that of two independent AUCs (Newcombe's square-and-add of their intervals), and so too wide for
    two of the same rows: it blames no chance.
    """
    (low, high), (low_before, high_before) = auc_interval(after, m, n), auc_interval(before, m, n)
    change = after - before
    return (
        change,
        change - math.hypot(after - low, high_before - before),
        change + math.hypot(high - after, before - low_before),
    )
