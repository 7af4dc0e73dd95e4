"""RecEraser's three partitions: capped K-means on matrix-factorisation embeddings p_u, q_i.

Chen, Sun, Zhang, Ding, *Recommendation Unlearning*, arXiv 2201.06820, with the costs of its code and the cap 1.2 n/k on
the n units sorted. Centres are member means per axis (the code's mean over all axes collapses a centre to a number).
All three are exact given the partition: the embeddings, the centres and the caps saw every row.
"""

from __future__ import annotations

import numpy as np

from unlearning.partition.clustering import capped_kmeans
from unlearning.partition.factors import Factors, factorise
from unlearning.partition.rows import Rows, Shards

PASSES = 50


def inbp(rows: Rows, shards: int, seed: int) -> Shards:
    """Interaction-based: each row by itself, cost ||p_u - c_u||² · ||q_i - c_i||²."""
    users, items = factorise(rows, seed)
    return _partition((users[rows.user], items[rows.item]), shards, seed)


def ubp(rows: Rows, shards: int, seed: int) -> Shards:
    """User-based: whole users, cost ||p_u - c||²."""
    units, user = np.unique(rows.user, return_inverse=True)
    return _partition((factorise(rows, seed)[0][units],), shards, seed)[user]


def ibp(rows: Rows, shards: int, seed: int) -> Shards:
    """Item-based: all rows of an item together, cost ||q_i - c||²."""
    units, item = np.unique(rows.item, return_inverse=True)
    return _partition((factorise(rows, seed)[1][units],), shards, seed)[item]


def _partition(parts: tuple[Factors, ...], shards: int, seed: int) -> Shards:
    cap = -(-6 * len(parts[0]) // (5 * shards))  # ceil(1.2 n/k), in whole numbers
    return capped_kmeans(parts, shards, cap, PASSES, seed)
