"""What an aggregator may look at: rows to answer, validation rows as the shards answer them, the shards' centres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedrec.errors import FedrecError

Weigher = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""From vectors (n, d) of rows to weights (n, K) of the shards."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """The n rows to be answered by K shards, and v validation rows to judge the shards by.

    A deletion needs no method here: the caller leaves the deleted validation rows out, computes the columns of the
    retrained shards again, and builds another one. No aggregator keeps anything from one evidence to the next.

    Attributes:
        vectors: (n, d) the frozen base's vectors of the rows to be answered.
        valid_vectors: (v, d) the same of the validation rows.
        valid_labels: (v,) 0 or 1.
        valid_scores: (v, K) like-probability of every validation row by every shard's adapter alone.
        centres: (K, d) mean vector of each shard's training rows.

    Raises:
        ValueError: the shapes do not fit each other.
    """

    vectors: NDArray[np.float32]
    valid_vectors: NDArray[np.float32]
    valid_labels: NDArray[np.int8]
    valid_scores: NDArray[np.float64]
    centres: NDArray[np.float32]

    def __post_init__(self) -> None:
        shards, width = self.centres.shape
        rows = len(self.valid_labels)
        for name, shape in {
            "vectors": (len(self.vectors), width),
            "valid_vectors": (rows, width),
            "valid_labels": (rows,),
            "valid_scores": (rows, shards),
        }.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} is {getattr(self, name).shape}, not {shape}, beside {shards} centres")

    @property
    def shards(self) -> int:
        """K."""
        return len(self.centres)


def need_validation(evidence: Evidence) -> None:
    """FedrecError where there is nothing to judge the shards by."""
    if not len(evidence.valid_labels):
        raise no_validation_rows()


def no_validation_rows() -> FedrecError:
    return FedrecError(
        "no validation rows are left to weigh the shards by: choose average-nd, or give data.split a validation part"
    )
