"""One set of weights for a window that answers many rows of one timeline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fedrec.data.prompts import Window


def row_weights_to_windows(weights: NDArray[np.float64], windows: Sequence[Window]) -> NDArray[np.float64]:
    """(windows, K) weights of each window: those of the first row it answers.

    One forward pass has one mixture of adapters, so all rows of a window share it. A later row's vector was read off a
    prompt that holds the answers of the earlier ones: weights made from it would tell them what is to be predicted.

    Args:
        weights: (n, K), of every row that a window's `rows` can name.
        windows: each with its rows in time order, as `PromptEncoder.windows` makes them.
    """
    return weights[[window.rows[0] for window in windows]]
