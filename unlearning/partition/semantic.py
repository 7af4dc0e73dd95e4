"""APA's balanced semantic partition: rows that mean alike, together.

Hu, Zhang, Xiao, Wang, Feng, He, *Exact and Efficient Unlearning for LLM-based Recommendation*, arXiv 2404.10327:
K-means on the frozen base's vectors h_i gives centres a_k, fixed; pairs (i, k) by cosine distance 1 - cos(h_i, a_k)
ascending; shards of at most t = ceil(n/K) rows. Exact given the partition: the centres and the cap saw every row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unlearning.partition.clustering import assign, group_means, kmeans_centres
from unlearning.partition.rows import Rows, Shards, Vectors


def semantic_rows(rows: Rows, shards: int, seed: int) -> Shards:
    """Each row by its own vector."""
    return _place(rows.vectors, np.ones(len(rows), np.int64), shards, seed)


def semantic_users(rows: Rows, shards: int, seed: int) -> Shards:
    """Whole users, by the mean of their rows' vectors.

    The cap counts rows, so that shards cost alike to train: a shard takes users until it holds t rows, and the last may
    reach over.
    """
    users, user = np.unique(rows.user, return_inverse=True)
    return _place(group_means(rows.vectors, user, len(users)), np.bincount(user), shards, seed)[user]


def _place(vectors: Vectors, weight: NDArray[np.integer], shards: int, seed: int) -> Shards:
    """(n,) shard of each unit of `weight` rows; with fewer units than shards there are as many centres as units."""
    centres = kmeans_centres(vectors, shards, seed)
    distance = 1 - _unit(vectors) @ _unit(centres).T  # 1 for a zero vector
    return assign(distance, -(-int(weight.sum()) // max(len(centres), 1)), weight)


def _unit(vectors: Vectors) -> NDArray[np.float64]:
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norm > 0, norm, 1), np.float64)
