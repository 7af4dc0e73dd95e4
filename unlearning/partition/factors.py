"""Weighted matrix factorisation of the rows by alternating least squares: the embeddings of users and items.

Hu, Koren, Volinsky, *Collaborative Filtering for Implicit Feedback Datasets* (2008), equations 3 to 5:
min over x, y of Σ_ui c_ui (p_ui - x_u·y_i)² + λ (Σ_u |x_u|² + Σ_i |y_i|²) over all pairs, with
p = 1 for a liked pair, else 0; c = 1 + α for a pair with a row, liked or not, else 1.
Each half step solves, for every u (then likewise for every i),
(YᵀY + λI + α Σ_{i seen} y_i y_iᵀ) x_u = (1 + α) Σ_{i liked} y_i.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unlearning.partition.rows import Rows

DIMENSIONS, PASSES = 16, 10
ALPHA, RIDGE, START = 40.0, 1.0, 0.1  # α = 40 as in the paper

Factors = NDArray[np.float64]


def factorise(rows: Rows, seed: int) -> tuple[Factors, Factors]:
    """(users, 16) and (items, 16) embeddings, zeros for users and items without a like.

    16 dimensions where RecEraser has 64: rows are thousands here, and a partition needs the coarse tastes only.
    """
    shape = (len(rows.user_ids), len(rows.item_vectors))
    likes = rows.label == 1
    seen, liked = pairs(rows.user, rows.item, shape), pairs(rows.user[likes], rows.item[likes], shape)
    items = np.random.default_rng(seed).normal(0, START, (shape[1], DIMENSIONS))
    for _ in range(PASSES):
        users = _half_step(seen, liked, items)
        items = _half_step(seen.T.tocsr(), liked.T.tocsr(), users)
    return users, items


def pairs(left: NDArray[np.integer], right: NDArray[np.integer], shape: tuple[int, int]) -> Any:
    """Sparse matrix of that shape with 1 at every pair (left, right), however often it stands."""
    from scipy.sparse import csr_array

    matrix = csr_array((np.ones(len(left)), (left, right)), shape=shape)
    matrix.data[:] = 1
    return matrix


def _half_step(seen: Any, liked: Any, other: Factors) -> Factors:
    """One side's embeddings from the other's; `seen` and `liked` are sparse (this side, other side)."""
    d = other.shape[1]
    outer = (other[:, :, None] * other[:, None, :]).reshape(len(other), d * d)
    left = other.T @ other + RIDGE * np.eye(d) + ALPHA * (seen @ outer).reshape(-1, d, d)
    right = (1 + ALPHA) * (liked @ other)
    return np.linalg.solve(left, right[:, :, None])[:, :, 0]
