"""Weights that nothing is measured for: equal ones, and likeness to what a shard was trained on.

average    w_k = 1 / K
semantic   w_k = softmax_k( cos(h, c_k) / T ),  c_k the mean vector of shard k's training rows
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from fedrec.config import AggregationConfig
from fedrec.ensemble.aggregators.judged import Judged
from fedrec.ensemble.aggregators.neighbours import directions


def average(judged: Judged, vectors: NDArray[np.float32], _: AggregationConfig) -> NDArray[np.float64]:
    """(n, K) equal weights; rows sum to 1."""
    return np.full((len(vectors), judged.shards), 1 / judged.shards)


def semantic(judged: Judged, vectors: NDArray[np.float32], settings: AggregationConfig) -> NDArray[np.float64]:
    """(n, K) weights by the cosine of each row's vector to the shards' centres; rows sum to 1."""
    cosines = directions(vectors) @ directions(judged.centres).T
    weights: NDArray[np.float64] = softmax(cosines / settings.temperature, axis=1)
    return weights
