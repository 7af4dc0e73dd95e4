"""One answer from K passes: the outputs of the shards' models combined after the fact, as SISA does.

    probability   p = sum_k w_k p_k
    logit         p = sigmoid( sum_k w_k logit(p_k) )
    vote          p = sum_k w_k [p_k says like],  an undecided 1/2 being half a vote

with w made to sum to 1. Bourtoule et al., Machine Unlearning, arXiv 1912.03817 (algorithms.md 4).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

Form = Literal["ND", "D", "probability", "logit", "vote"]
"""How weighted adapters become an answer: mixed inside one pass ("ND", "D"; fedrec.models.routing), or in K passes."""

_FLOOR = 1e-12  # a probability of exactly 0 would overrule every other shard's logit


def combine(scores: NDArray[np.float64], weights: NDArray[np.float64], form: Form) -> NDArray[np.float64]:
    """Like-probabilities (n,) from those of K shards (n, K), weighted by (n, K) of which only the ratios count.

    A vote knows nothing but its share: shares that are equal stay equal. AUC counts such ties as half, and a
    tie-break by probability would credit the vote with what the mean knows; LogLoss of an unanimous error is that of
    a model certain of it.

    Raises:
        ValueError: the form mixes adapters, not scores.
    """
    match form:
        case "probability":
            return np.average(scores, axis=1, weights=weights)
        case "logit":
            clipped = np.clip(scores, _FLOOR, 1 - _FLOOR)
            answer: NDArray[np.float64] = expit(np.average(logit(clipped), axis=1, weights=weights))
            return answer
        case "vote":
            return np.average(np.heaviside(scores - 0.5, 0.5), axis=1, weights=weights)
        case _:
            raise ValueError(f"form {form} mixes adapters in one pass: route the bank with it instead")
