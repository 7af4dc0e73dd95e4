"""Epsilon from below: what an attack that works proves of the mechanism it works on. Pure functions of counts.

(epsilon, delta)-differential privacy bounds every test of whether somebody was in:

    TPR <= e^epsilon FPR + delta,    1 - FPR <= e^epsilon (1 - TPR) + delta

so a test that does better refutes that epsilon (Jagielski et al., NeurIPS 2020, arXiv 2006.07709). Many canaries of one
training are no independent trials; what their guesses prove all the same is by Steinke, Nasr and Jagielski (NeurIPS
2023, arXiv 2305.08846, theorem 5.2 and appendix D).
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

LEVEL = 0.95
_HIGHEST = 50.0
_HALVINGS = 40


def from_rates(hits: int, members: int, alarms: int, others: int, delta: float = 0.0, level: float = LEVEL) -> float:
    """The epsilon that a test exceeds, by Clopper-Pearson bounds of both rates, at this confidence; 0 = nothing.

    Args:
        hits, members: members that the test takes for such, of how many independent trials.
        alarms, others: others that it takes for members, of how many.
    """
    if not members or not others:
        return 0.0
    tail = (1 - level) / 2
    tpr = float(stats.beta.ppf(tail, hits, members - hits + 1)) if hits else 0.0
    fpr = float(stats.beta.ppf(1 - tail, alarms + 1, others - alarms)) if alarms < others else 1.0
    return max(0.0, _log_ratio(tpr - delta, fpr), _log_ratio(1 - fpr - delta, 1 - tpr))


def _log_ratio(above: float, below: float) -> float:
    return math.log(above / below) if above > 0 and below > 0 else 0.0


def from_guesses(canaries: int, guesses: int, right: int, delta: float = 0.0, level: float = LEVEL) -> float:
    """The epsilon that so many right guesses exceed, at this confidence; 0 = nothing.

    Args:
        canaries: each of which was in by a fair coin of its own.
        guesses: how many of them were guessed about, a number that was fixed before.
    """
    low, high = 0.0, _HIGHEST
    if _chance(canaries, guesses, right, 0.0, delta) >= 1 - level:
        return 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        refuted = _chance(canaries, guesses, right, middle, delta) < 1 - level
        low, high = (middle, high) if refuted else (low, middle)
    return low


def _chance(canaries: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """At most this likely are so many right guesses, or more, of an (epsilon, delta) mechanism."""
    q = 1 / (1 + math.exp(-epsilon))
    tail = float(stats.binom.sf(right - 1, guesses, q))
    if not delta or not right:
        return tail
    fewer = np.cumsum(stats.binom.pmf(np.arange(right - 1, -1, -1), guesses, q))  # right - i <= X < right, i = 1 …
    return min(1.0, tail + 2 * canaries * delta * float((fewer / np.arange(1, right + 1)).max()))
