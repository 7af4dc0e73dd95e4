"""SISA: units into shards at random, sizes equal to within one unit. Bourtoule et al., arXiv 1912.03817."""

from __future__ import annotations

import numpy as np

from unlearning.partition.rows import Rows, Shards


def random_rows(rows: Rows, shards: int, seed: int) -> Shards:
    """Each row by itself, as SISA does. Exact given the partition."""
    return equal_split(len(rows), shards, np.random.default_rng(seed))


def random_users(rows: Rows, shards: int, seed: int) -> Shards:
    """Whole users, equally many in each shard. Exact given the partition."""
    users, user = np.unique(rows.user, return_inverse=True)
    return equal_split(len(users), shards, np.random.default_rng(seed))[user]


def equal_split(units: int, shards: int, random: np.random.Generator) -> Shards:
    """(units,) shard of each unit, at random."""
    return (random.permutation(units) % shards).astype(np.int32)
