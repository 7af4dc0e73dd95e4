"""GraphEraser's balanced partitions, BEKM and BLPA, on the bipartite graph of users and items.

Chen, Zhang, Wang, Backes, Humbert, Zhang, *Graph Unlearning*, arXiv 2103.14991. Cap ceil(n/k + e (n - n/k)), e = 0.005.

The nodes sorted are the n users, and their rows follow: were items sorted too, the rows between shards would be lost.
Items only connect: two users are neighbours once for every item that both have.
Both are exact given the partition: embeddings, neighbours and caps saw every row.
"""

from __future__ import annotations

from collections import defaultdict, deque

import numpy as np
from numpy.typing import NDArray

from unlearning.partition.clustering import capped_kmeans
from unlearning.partition.factors import factorise, pairs
from unlearning.partition.random_split import equal_split
from unlearning.partition.rows import Rows, Shards

BEKM_PASSES, BLPA_PASSES = 20, 100


def bekm(rows: Rows, shards: int, seed: int) -> Shards:
    """Balanced embedding K-means, on matrix-factorisation embeddings: a GraphSAGE is no part of this project."""
    units, user = np.unique(rows.user, return_inverse=True)
    embeddings = factorise(rows, seed)[0][units]
    return capped_kmeans((embeddings,), shards, cap(len(units), shards), BEKM_PASSES, seed)[user]


def blpa(rows: Rows, shards: int, seed: int) -> Shards:
    """Balanced label propagation: from a random equal split, every user wants the shard of most of their neighbours.

    Ties are broken at random, but a user moves only for strictly more neighbours. The most wanted moves are served
    first; who finds the shard full waits until somebody leaves it.
    """
    units, user = np.unique(rows.user, return_inverse=True)
    random = np.random.default_rng(seed)
    shard = equal_split(len(units), shards, random)
    edges = pairs(user, rows.item, (len(units), len(rows.item_vectors)))
    own = edges.sum(axis=1)
    for _ in range(BLPA_PASSES):
        here = np.eye(shards)[shard]
        neighbours = edges @ (edges.T @ here) - own[:, None] * here
        wish = (neighbours + random.random(neighbours.shape)).argmax(1).astype(np.int32)
        everyone = np.arange(len(units))
        wanted = neighbours[everyone, wish]
        movers = np.flatnonzero(wanted > neighbours[everyone, shard])
        queue = movers[np.argsort(-wanted[movers], kind="stable")]
        before, shard = shard, serve(shard, wish, queue, cap(len(units), shards), shards)
        if np.array_equal(before, shard):
            break
    return shard[user]


def serve(shard: Shards, wish: Shards, queue: NDArray[np.intp], cap: int, shards: int) -> Shards:
    """(n,) shards after the units of the queue moved, in its order, each to its wish where there is room."""
    shard = shard.copy()
    size = np.bincount(shard, minlength=shards).tolist()
    waiting: defaultdict[int, deque[int]] = defaultdict(deque)
    for unit in queue.tolist():
        waiting[int(wish[unit])].append(unit)
        target = int(wish[unit])
        while waiting[target] and size[target] < cap:
            mover = waiting[target].popleft()
            left = int(shard[mover])
            shard[mover] = target
            size[target] += 1
            size[left] -= 1
            target = left  # a place became free there
    return shard


def cap(units: int, shards: int) -> int:
    """ceil(n/k + 0.005 (n - n/k)), in whole numbers."""
    return -(-units * (199 + shards) // (200 * shards))
