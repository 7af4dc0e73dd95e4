"""K-means, plain and capped, and the greedy assignment that every capped partition shares, cheapest pair first.

Published form of the assignment: sort all pairs (unit i, shard k) by cost, walk them ascending, give i to k if i is
free and |D_k| < t. The same result comes from at most K vectorised steps: until a shard fills up, every free unit goes
to its cheapest open shard; when one fills, it closes and the free units choose again.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from unlearning.partition.rows import Shards, Vectors


def assign(cost: NDArray[np.floating], cap: int, weight: NDArray[np.integer] | None = None) -> Shards:
    """(n,) shard of each unit. Equal costs are walked by unit, then by shard.

    A shard takes units as long as its load is below the cap: with units of one row it ends at the cap or below, with
    heavier ones its last unit may reach over it.

    Args:
        cost: (n, k) of each pair, without NaN.
        cap: rows at which a shard closes; k · cap must hold all rows.
        weight: (n,) rows of each unit, at least 1; one row each if None.
    """
    n, k = cost.shape
    weight = np.ones(n, np.int64) if weight is None else weight
    if k * cap < weight.sum():
        raise ValueError(f"{k} shards of {cap} rows cannot hold {weight.sum()}")
    shard = np.full(n, -1, np.int32)
    load = np.zeros(k, np.int64)
    free = np.arange(n)
    while free.size:
        opened = np.flatnonzero(load < cap)
        costs = cost[np.ix_(free, opened)]
        wish = costs.argmin(1)
        order = costs[np.arange(len(free)), wish].argsort(kind="stable")
        unit, wish = free[order], opened[wish[order]]
        served = min(_fills(weight[unit], wish == c, cap - load[c]) for c in opened)
        shard[unit[:served]] = wish[:served]
        load += np.bincount(wish[:served], weights=weight[unit[:served]], minlength=k).astype(np.int64)
        free = np.flatnonzero(shard < 0)
    return shard


def _fills(weight: NDArray[np.integer], mine: NDArray[np.bool_], room: int) -> int:
    """How many units of the queue are served when the units marked `mine` have used up the room; else all."""
    queue = np.flatnonzero(mine)
    last = int(np.searchsorted(weight[queue].cumsum(), room))
    return int(queue[last]) + 1 if last < len(queue) else len(weight)


def kmeans_centres(vectors: Vectors, count: int, seed: int) -> NDArray[np.float64]:
    """(min(count, n), d) centres of n vectors by plain K-means, from one seeded k-means++ start: the same each time."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    count = min(count, len(vectors))
    if not count:
        return np.empty((0, vectors.shape[1]))
    with threadpool_limits(1), warnings.catch_warnings():  # threads would sum in any order
        warnings.simplefilter("ignore", ConvergenceWarning)  # equal vectors: fewer clusters than centres
        model = KMeans(count, n_init=1, random_state=seed).fit(vectors)
    return np.asarray(model.cluster_centers_, np.float64)


def capped_kmeans(parts: tuple[Vectors, ...], shards: int, cap: int, passes: int, seed: int) -> Shards:
    """(n,) shard of each unit: K-means whose assignment step is `assign`, from centres at random units.

    cost(i, k) = Π_j ||x_ij - c_kj||², c_kj = mean of x_ij over the units i of shard k; ends when nobody moves.
    With more shards than units the last shards stay empty.

    Args:
        parts: one or more (n, d_j): every unit is described by each of them.
        cap: units at which a shard closes.
        passes: at most so many.
    """
    n = len(parts[0])
    start = np.random.default_rng(seed).choice(n, min(shards, n), replace=False) if n else np.empty(0, int)
    centres = [part[start] for part in parts]
    shard = np.full(n, -1, np.int32)
    for _ in range(passes):
        cost = np.prod([cdist(part, at, "sqeuclidean") for part, at in zip(parts, centres, strict=True)], axis=0)
        before, shard = shard, assign(cost, cap)
        if np.array_equal(before, shard):
            break
        centres = [moved_centres(part, shard, at) for part, at in zip(parts, centres, strict=True)]
    return shard


def moved_centres(vectors: Vectors, shard: Shards, centres: Vectors) -> NDArray[np.float64]:
    """(k, d) mean vector of each shard's units; an empty shard's centre stays where it was."""
    filled = np.bincount(shard, minlength=len(centres)) > 0
    return np.where(filled[:, None], group_means(vectors, shard, len(centres)), centres)


def group_means(vectors: Vectors, group: NDArray[np.integer], count: int) -> NDArray[np.float64]:
    """(count, d) mean vector of each group's rows; zeros for an empty group."""
    from scipy.sparse import csr_array

    size = np.bincount(group, minlength=count)
    member = csr_array((np.ones(len(group)), (group, np.arange(len(group)))), shape=(count, len(group)))
    means: NDArray[np.float64] = (member @ vectors.astype(np.float64)) / np.maximum(size, 1)[:, None]
    return means
