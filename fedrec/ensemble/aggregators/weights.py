"""Weights of the shards: of some of those they were made for, and of windows that answer many rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from fedrec.data.prompts import Window

Weigher = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""From vectors (n, d) of rows to weights (n, K) of the shards."""


def restricted(weigh: Weigher, kept: Sequence[int]) -> Weigher:
    """The weights (n, k) of k of the K shards, in proportion as they were, to the same sum; equal where all were 0."""
    columns = list(kept)

    def weigh_kept(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        weights = weigh(vectors)
        left = weights[:, columns]
        left[left.sum(axis=1) == 0] = 1
        scaled: NDArray[np.float64] = left * (weights.sum(axis=1) / left.sum(axis=1))[:, None]
        return scaled

    return weigh_kept


def row_weights_to_windows(weights: NDArray[np.float64], windows: Sequence[Window]) -> NDArray[np.float64]:
    """(windows, K) weights of each window, from those of rows (n, K): those of the first row that it answers.

    One forward pass has one mixture of adapters, so all rows of a window share it. A later row's vector was read off a
    prompt that holds the answers of the earlier ones: weights made from it would tell them what is to be predicted.
    """
    return weights[[window.rows[0] for window in windows]]
