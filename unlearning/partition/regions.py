"""Regions of equal public population: each point belongs to argmin_s ||v - c_s||² + b_s (a power diagram).

c are K-means centroids of p public vectors. b is fitted so that p/S of them fall to each centroid, by coordinate ascent
on the dual of the balanced assignment: with the other biases fixed, vector i falls to s if its gap
d_is - min_{t≠s} (d_it + b_t) is below -b_s, so -b_s is set between the p/S-th smallest gap and the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from fedrec.errors import FedrecError
from unlearning.partition.clustering import kmeans_centres
from unlearning.partition.rows import Vectors

SWEEPS = 100  # about 20 suffice unless many public vectors are equal


@dataclass(frozen=True)
class Regions:
    """S regions: centres (S, d) and bias (S,), in squared units of the vectors."""

    centres: NDArray[np.float64]
    bias: NDArray[np.float64]

    def of(self, vector: NDArray[np.floating]) -> int:
        """The region of one (d,) point. One at a time, so that no bit of the sum depends on the company."""
        return int((((self.centres - vector) ** 2).sum(axis=1) + self.bias).argmin())


def fit_regions(public: Vectors, shards: int, seed: int) -> Regions:
    """Regions into which the (p, d) public vectors fall equally, as far as no two are alike.

    Raises:
        FedrecError: fewer public vectors than shards.
    """
    if len(public) < shards:
        raise FedrecError(f"{shards} shards from {len(public)} public vectors: use fewer shards or partition by hash")
    centres = kmeans_centres(public, shards, seed)
    return Regions(centres, balancing_bias(cdist(public, centres, "sqeuclidean")))


def balancing_bias(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S,) biases: the p rows of `distance` (p, S) + bias have their minimum equally often in each column."""
    p, shards = distance.shape
    bias = np.zeros(shards)
    quota = np.diff(np.arange(shards + 1) * p // shards)
    for _ in range(SWEEPS if shards > 1 else 0):
        if np.ptp(np.bincount((distance + bias).argmin(1), minlength=shards)) <= 1:
            break
        for s in range(shards):
            others = np.delete(distance + bias, s, axis=1).min(axis=1)
            gaps = np.sort(distance[:, s] - others)
            bias[s] = -gaps[quota[s] - 1 : quota[s] + 1].mean()
    return bias
