"""APA's sample-adaptive weights: an adapter counts as much as it is right about validation rows like the row.

    error_k = mean over the n validation rows (x', y') nearest to the row of err(y', P_k(x'))
    w_k     = exp(-tau error_k) / sum_l exp(-tau error_l)

Hu et al., Exact and Efficient Unlearning for LLM-based Recommendation, arXiv 2404.10327 (algorithms.md 2.4; the
formula of w follows its two stated properties: less error, more weight; tau = 0, equal weights).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from fedrec.config import AggregationConfig, ErrorReading
from fedrec.ensemble.aggregators.judged import Judged
from fedrec.ensemble.aggregators.neighbours import nearest


def errors(scores: NDArray[np.float64], labels: NDArray[np.int8], reading: ErrorReading) -> NDArray[np.float64]:
    """(v, K) error of every adapter on every row: scores (v, K) probabilities of a like, labels (v,)."""
    y = labels[:, None]
    likelihood = np.where(y == 1, scores, 1 - scores)
    match reading:
        case "probability":
            return 1 - likelihood
        case "absolute":
            return np.abs(y - scores)
        case "squared":
            return (y - scores) ** 2
        case "logloss":
            found: NDArray[np.float64] = -np.log(np.maximum(likelihood, 1e-7))  # clipped as fedrec.metrics clips
            return found


def local_errors(judged: Judged, vectors: NDArray[np.float32], settings: AggregationConfig) -> NDArray[np.float64]:
    """(n, K) mean error of every adapter on the validation rows nearest to each of n rows, by vectors (n, d).

    Raises:
        FedrecError: there are no validation rows.
    """
    each = errors(judged.needed().scores, judged.labels, settings.error)
    judges = nearest(vectors, judged.vectors, settings.neighbours)
    total = np.zeros((len(judges), judged.shards))
    for judge in judges.T:  # nearest first: a fixed order of adding, and no (n, neighbours, K) array
        total += each[judge]
    mean: NDArray[np.float64] = total / judges.shape[1]
    return mean


def adaptive(judged: Judged, vectors: NDArray[np.float32], settings: AggregationConfig) -> NDArray[np.float64]:
    """(n, K) APA's weights; rows sum to 1."""
    weights: NDArray[np.float64] = softmax(-settings.tau * local_errors(judged, vectors, settings), axis=1)
    return weights


def major(judged: Judged, vectors: NDArray[np.float32], settings: AggregationConfig) -> NDArray[np.float64]:
    """(n, K) one-hot on the largest adaptive weight (the first of equals), which is APA with tau to infinity."""
    best: NDArray[np.intp] = local_errors(judged, vectors, settings).argmin(axis=1)
    one_hot: NDArray[np.float64] = np.eye(judged.shards)[best]
    return one_hot
