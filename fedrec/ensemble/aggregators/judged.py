"""What the shards are judged by: validation rows as each of them answers them, and the shards' centres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fedrec.errors import FedrecError


@dataclass(frozen=True, eq=False)
class Judged:
    """v validation rows as all K shards answer them.

    After a deletion the caller leaves rows out and computes the columns of retrained shards again: no aggregator keeps
    anything from one judgement to the next.

    Attributes:
        vectors: (v, d) the frozen base's vectors of the rows.
        labels: (v,) 0 or 1.
        scores: (v, K) like-probability of every row by every shard's adapter alone.
        centres: (K, d) mean vector of each shard's training rows.

    Raises:
        ValueError: the shapes do not fit each other.
    """

    vectors: NDArray[np.float32]
    labels: NDArray[np.int8]
    scores: NDArray[np.float64]
    centres: NDArray[np.float32]

    def __post_init__(self) -> None:
        rows, (shards, width) = len(self.labels), self.centres.shape
        for name, shape in {"vectors": (rows, width), "labels": (rows,), "scores": (rows, shards)}.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} is {getattr(self, name).shape}, not {shape}, beside {shards} centres")

    @classmethod
    def nobody(cls, shards: int) -> Judged:
        """No rows: for aggregators that judge nothing."""
        return cls(
            np.zeros((0, 1), np.float32), np.zeros(0, np.int8), np.zeros((0, shards)), np.zeros((shards, 1), np.float32)
        )

    @property
    def shards(self) -> int:
        """K."""
        return len(self.centres)

    def take(self, rows: NDArray[np.bool_]) -> Judged:
        """Some of the rows."""
        return replace(self, vectors=self.vectors[rows], labels=self.labels[rows], scores=self.scores[rows])

    def of(self, shards: Sequence[int]) -> Judged:
        """By some of the shards, in that order."""
        chosen = list(shards)
        return replace(self, scores=self.scores[:, chosen], centres=self.centres[chosen])

    def needed(self) -> Judged:
        """
        Raises:
            FedrecError: there are no rows to judge the shards by.
        """
        if not len(self.labels):
            raise no_validation_rows()
        return self


def no_validation_rows() -> FedrecError:
    return FedrecError(
        "no validation rows are left to weigh the shards by: choose average-nd, or give data.split a validation part"
    )
