"""How good a partition is: balance, how far a user's rows are spread, and how unlike the shards are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unlearning.partition.clustering import group_means
from unlearning.partition.rows import Rows, Shards


@dataclass(frozen=True)
class Quality:
    """Of n rows in S shards; figures that no rows can give are NaN.

    Attributes:
        balance: rows of the largest shard / of the smallest; infinite if one is empty.
        shards_per_user: shards that hold rows of a user, mean over users with rows: what the deletion of one touches.
        separation: share of the vectors' variance between shards, Σ_s n_s |μ_s - μ|² / Σ_i |x_i - μ|²: 0 = shards with
            one mean, 1 = every shard a single point; about (S - 1) / n by chance; NaN if all vectors are equal.
        like_rate_spread: standard deviation over the non-empty shards of the share of likes.
    """

    balance: float
    shards_per_user: float
    separation: float
    like_rate_spread: float


def describe(rows: Rows, shard: Shards, shards: int) -> Quality:
    """The quality of the partition `shard` (n,) of the rows into that many shards."""
    size = np.bincount(shard, minlength=shards)
    nan = float("nan")
    if not len(rows):
        return Quality(nan, nan, nan, nan)
    touched = np.unique(np.stack([rows.user, shard]), axis=1).shape[1] / len(np.unique(rows.user))
    mean = rows.vectors.mean(axis=0, dtype=np.float64)
    between = float(size @ ((group_means(rows.vectors, shard, shards) - mean) ** 2).sum(axis=1))
    total = float(((rows.vectors - mean) ** 2).sum())
    likes = np.bincount(shard, weights=rows.label, minlength=shards)[size > 0] / size[size > 0]
    return Quality(
        float(size.max() / size.min()) if size.min() else float("inf"),
        float(touched),
        between / total if total else nan,
        float(likes.std()),
    )
