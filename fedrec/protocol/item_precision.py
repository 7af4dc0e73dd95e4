"""How much is known of item rows: each is the mean of a normal posterior, and this its precision.

Where adapters are averaged, a row counts by its precision and the mean has the sum of them (consensus Monte Carlo,
Scott et al. 2016). The mean goes to a client with that sum beside it: by it the client knows its own part in each row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedrec.protocol.adapters import KNOWN, State
from fedrec.protocol.item_rows import ItemAnswers, Items, counted, items_of, parted, told_of

INFORMATION = 0.2
"""Of an answer about its log-odds: p (1 - p)."""

NOTHING: ItemAnswers = (np.zeros(0, np.int32), np.zeros(0, np.int32))
"""No answers about any item."""
Known = tuple[Items, NDArray[np.float32]]
"""Some items, and the precision of each one's row in an adapter."""


@dataclass(frozen=True)
class Precision:
    """How much somebody knows of items by answers, and by a part of the rows' normal prior.

    Attributes:
        met: items, and how many answers are about each.
        prior: precision of that part; as much is known of items that are not met.
    """

    met: ItemAnswers
    prior: float

    def of(self, items: Items) -> NDArray[np.float64]:
        """(m,) of some items."""
        return np.asarray(INFORMATION * counted(self.met, items) + self.prior, np.float64)


def with_known(state: State, known: Known) -> State:
    """An adapter with the precision of each of its item rows beside it."""
    return {**state, KNOWN: known_of(known, items_of(state))}


def known_of(known: Known, items: Items) -> NDArray[np.float32]:
    """(m,) the precision of each of these items' rows; 0 where none is told."""
    return told_of(items, *known)


def without_known(state: State) -> tuple[State, Known | None]:
    """The adapter of `with_known`, and what it was given; None where there is nothing."""
    bare, found = parted(state, KNOWN)
    return bare, None if found is None else (items_of(state), found)
