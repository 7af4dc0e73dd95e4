"""Items that nobody is left to have taught, once some rows are unlearned: their rows go from every client's adapters.

Each client that forgets sends no row of an item that only its erased rows were about. The others have such rows from
earlier averages, in which the erased rows had their share, and send them on; so where no client says that an answer of
its own is about the item, nobody keeps it, as nobody would have it who had been trained without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fedrec.protocol.adapters import ITEMS_A, Model, State
from fedrec.protocol.answers import TrainAnswer
from fedrec.protocol.item_precision import with_known, without_known
from fedrec.protocol.item_rows import Items, items_of, rows_of, with_rows, without_answers


def lost_items(before: Mapping[str, Model], replies: Sequence[TrainAnswer]) -> list[Items]:
    """Of each shard; none where items have no rows, or clients do not tell what their rows were learnt from.

    Args:
        before: by client, what it was sent.
    """
    shards = len(replies[0].adapters) if replies else 0
    return [_of_shard({reply.client: reply.adapters[at] for reply in replies}, before, at) for at in range(shards)]


def _of_shard(after: Mapping[str, State], before: Mapping[str, Model], at: int) -> Items:
    gone, met = list[Items](), list[Items]()
    for client, sent in after.items():
        state, answers = without_answers(sent)
        if ITEMS_A not in state or answers is None:
            return np.zeros(0, np.int32)
        gone.append(np.setdiff1d(items_of(before[client][at]), items_of(state)))
        met.append(answers[0][answers[1] > 0])
    return np.setdiff1d(np.concatenate(gone), np.concatenate(met)).astype(np.int32)


def without_items(state: State, lost: Items) -> State:
    """The adapter without rows of some items."""
    if ITEMS_A not in state or not len(lost):
        return state
    bare, known = without_known(state)
    items = np.setdiff1d(items_of(bare), lost)
    left = with_rows(bare, items, rows_of(bare, items))
    return left if known is None else with_known(left, known)
