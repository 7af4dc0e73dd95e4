"""Made-up judged rows: random directions, random labels, random scores, or shards that know one half of the space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.ensemble.aggregators.judged import Judged

ROWS = np.random.default_rng(99).normal(size=(7, 4)).astype(np.float32)
"""Vectors of rows to be answered."""


def evidence(seed: int = 0, valid: int = 30, shards: int = 3) -> Judged:
    random = np.random.default_rng(seed)
    return Judged(
        vectors=random.normal(size=(valid, 4)).astype(np.float32),
        labels=random.integers(0, 2, valid).astype(np.int8),
        scores=random.uniform(0.05, 0.95, (valid, shards)),
        centres=random.normal(size=(shards, 4)).astype(np.float32),
    )


def halves(seed: int = 0, rows: int = 400) -> tuple[Judged, NDArray[np.float32], NDArray[np.float64], NDArray[np.int8]]:
    """Two shards, each right in its own half of the space and clueless in the other.

    Returns:
        judged rows; and of as many rows to answer their vectors, the shards' scores (rows, 2), and the labels.
    """
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(2 * rows, 4)).astype(np.float32)
    labels = random.integers(0, 2, 2 * rows).astype(np.int8)
    right = np.where(labels == 1, 0.7, 0.3)
    clueless = random.uniform(0.02, 0.98, 2 * rows)
    left = vectors[:, 0] < 0
    scores = np.column_stack([np.where(left, right, clueless), np.where(left, clueless, right)])
    centres = np.array([[-1, 0, 0, 0], [1, 0, 0, 0]], np.float32)
    found = Judged(vectors[:rows], labels[:rows], scores[:rows], centres)
    return found, vectors[rows:], scores[rows:], labels[rows:]
