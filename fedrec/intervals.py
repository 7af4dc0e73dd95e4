"""95 % confidence intervals of an AUC and of its change, from the numbers of rows alone. Pure functions."""

from __future__ import annotations

import math

_NORMAL_95 = 1.959963984540054


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
