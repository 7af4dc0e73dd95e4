"""A weigher for some of the shards it was made for, without looking at the evidence again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fedrec.ensemble.aggregators.evidence import Weigher


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
