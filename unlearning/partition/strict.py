"""Strict partitions: a unit's shard depends on public things and on the unit alone, so an erasure moves nobody else.

- public: argmin_s ||v - c_s||² + b_s, with the centroids c and biases b of `regions`, fitted on public vectors.
- hash: HMAC-SHA256 of the id under the seed.

A shard may stay empty: refusing that would depend on who else is there.
"""

from __future__ import annotations

import numpy as np

from fedrec.data.user_hash import by_hash
from unlearning.partition.regions import fit_regions
from unlearning.partition.rows import Rows, Shards


def public_users(rows: Rows, shards: int, seed: int) -> Shards:
    """Whole users, by the mean of the public vectors of their own items; regions fitted on the public cohort.

    When a user loses some rows but stays, that user may move, and nobody else.

    Raises:
        FedrecError: the public cohort has fewer people than shards.
    """
    regions = fit_regions(rows.public, shards, seed)
    order = np.lexsort((rows.item, rows.user))  # by item within a user: the order of the rows says nothing
    shard = np.empty(len(rows), np.int32)
    for mine in np.split(order, np.flatnonzero(np.diff(rows.user[order])) + 1):
        if mine.size:  # no rows at all are one empty piece
            shard[mine] = regions.of(rows.item_vectors[rows.item[mine]].mean(axis=0, dtype=np.float64))
    return shard


def public_rows(rows: Rows, shards: int, seed: int) -> Shards:
    """Each row by its item, so all rows of an item together; regions fitted on the public catalogue.

    Raises:
        FedrecError: the catalogue has fewer items than shards.
    """
    regions = fit_regions(rows.item_vectors, shards, seed)
    return np.array([regions.of(vector) for vector in rows.item_vectors], np.int32)[rows.item]


def hash_users(rows: Rows, shards: int, seed: int) -> Shards:
    """Whole users, by their id."""
    return by_hash(rows.user_ids, shards, str(seed))[rows.user]


def hash_rows(rows: Rows, shards: int, seed: int) -> Shards:
    """Each row by its key."""
    return by_hash(rows.row_keys.tolist(), shards, str(seed))
