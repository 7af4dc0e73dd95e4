"""Item rows as if some answers had never been, as far as titles' effects go (`fedrec.data.title_effects`):

    first number of a row -= effect of its title in all answers - its effect in the retained ones

Rows begin with these effects, so this part of what was learnt is known and is taken off exactly, at the cost of a fit.
What gradients added to a row stays: that is what unlearning is for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.models.adapter import State, to_arrays, to_state
from fedrec.protocol.item_rows import Items, rows_of, with_some

Effects = tuple[Items, NDArray[np.float64]]
"""Items (m,), and their titles' effects (m,)."""


def reset_rows(adapter: State, all_answers: Effects, retained: Effects) -> State:
    """The adapter without what the answers that are not retained added to its rows."""
    items, added = all_answers[0], all_answers[1].copy()
    added[np.isin(items, retained[0])] -= retained[1]
    arrays = to_arrays(adapter)
    rows = rows_of(arrays, items)
    rows[:, 0] -= added
    return to_state(with_some(arrays, items, rows))
