"""Made-up evidence: random directions, random labels, random scores, or shards that know one half of the space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fedrec.ensemble.aggregators import Evidence


def evidence(seed: int = 0, rows: int = 7, valid: int = 30, shards: int = 3, width: int = 4) -> Evidence:
    random = np.random.default_rng(seed)
    return Evidence(
        vectors=random.normal(size=(rows, width)).astype(np.float32),
        valid_vectors=random.normal(size=(valid, width)).astype(np.float32),
        valid_labels=random.integers(0, 2, valid).astype(np.int8),
        valid_scores=random.uniform(0.05, 0.95, (valid, shards)),
        centres=random.normal(size=(shards, width)).astype(np.float32),
    )


def only(found: Evidence, kept: NDArray[np.bool_]) -> Evidence:
    """The same without some validation rows."""
    return replace(
        found,
        valid_vectors=found.valid_vectors[kept],
        valid_labels=found.valid_labels[kept],
        valid_scores=found.valid_scores[kept],
    )


def permuted(found: Evidence, order: list[int]) -> Evidence:
    """The same with the shards in another order."""
    return replace(found, valid_scores=found.valid_scores[:, order], centres=found.centres[order])


def halves(seed: int = 0, rows: int = 400) -> tuple[Evidence, NDArray[np.float64], NDArray[np.int8]]:
    """Two shards, each right in its own half of the space and clueless in the other.

    Returns:
        evidence of as many validation rows, the shards' scores (rows, 2) of the rows to answer, and their labels.
    """
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(2 * rows, 4)).astype(np.float32)
    labels = random.integers(0, 2, 2 * rows).astype(np.int8)
    right = np.where(labels == 1, 0.7, 0.3)
    clueless = random.uniform(0.02, 0.98, 2 * rows)
    left = vectors[:, 0] < 0
    scores = np.column_stack([np.where(left, right, clueless), np.where(left, clueless, right)])
    centres = np.array([[-1, 0, 0, 0], [1, 0, 0, 0]], np.float32)
    found = Evidence(vectors[rows:], vectors[:rows], labels[:rows], scores[:rows], centres)
    return found, scores[rows:], labels[rows:]
