"""Weights that nothing is measured for: equal ones, and likeness to what a shard was trained on.

average    w_k = 1 / K
semantic   w_k = softmax_k( cos(h, c_k) / T ),  c_k the mean vector of shard k's training rows
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from fedrec.config import AggregationConfig
from fedrec.ensemble.aggregators.evidence import Evidence
from fedrec.ensemble.aggregators.neighbours import directions


def average(evidence: Evidence) -> NDArray[np.float64]:
    """(n, K) equal weights; rows sum to 1."""
    return np.full((len(evidence.vectors), evidence.shards), 1 / evidence.shards)


def semantic(evidence: Evidence, settings: AggregationConfig) -> NDArray[np.float64]:
    """(n, K) weights by the cosine of each row's vector to the shards' centres; rows sum to 1."""
    cosines = directions(evidence.vectors) @ directions(evidence.centres).T
    weights: NDArray[np.float64] = softmax(cosines / settings.temperature, axis=1)
    return weights
