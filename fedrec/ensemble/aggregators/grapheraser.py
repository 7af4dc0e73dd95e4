"""GraphEraser's LBAggr: one weight a shard for all rows, learned on the validation rows.

    min over a >= 0 of  CE( sum_k a_k P_k(y) ) + ||a||_2,   w = a / sum a

Chen et al., Graph Unlearning, arXiv 2103.14991 (algorithms.md 6). The objective is convex, so it is solved instead of
trained for 50 epochs. The authors' code puts two softmaxes around the sum; these flatten the fit so much that the norm
outweighs it, the optimum is a = 0, where there is no w, and the result is wherever the training was stopped. Without
them the scale settles (||a|| = 1 at the optimum) and what is learned is the direction: CE against an even spread.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from fedrec.ensemble.aggregators.judged import Judged
from fedrec.ensemble.aggregators.weights import Weigher

_FLOOR = 1e-7  # as fedrec.metrics clips


def lb_aggr(judged: Judged) -> Weigher:
    """Learned: from vectors (n, d) to the same weights (n, K) in every row, summing to 1.

    Raises:
        FedrecError: there are no validation rows.
    """
    weights = optimal_weights(judged.needed().scores, judged.labels)
    return lambda vectors: np.tile(weights, (len(vectors), 1))


def optimal_weights(scores: NDArray[np.float64], labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """(K,) weights >= 0 that sum to 1, from scores (v, K), the probabilities of a like, and labels (v,)."""
    likelihood = np.maximum(np.where(labels[:, None] == 1, scores, 1 - scores), _FLOOR)

    def objective(a: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        mixed = likelihood @ a
        norm = np.sqrt(a @ a)
        return float(norm - np.log(mixed).mean()), a / norm - (likelihood / mixed[:, None]).mean(axis=0)

    shards = scores.shape[1]
    start = np.full(shards, shards**-0.5)  # of norm 1, as the solution is
    # The floor keeps the sum from 0 on the way; it is far below what a weight can matter.
    a = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=[(1e-12, None)] * shards).x
    return np.asarray(a / a.sum())
