"""A bound on what one client's item rows count: nobody's are longer, or learnt from more, than most clients' are.

A row is no longer than 1.5 times the longest row of the median client, and of one client's answers no larger a part is
about one title than 1.5 times that of the median client. What is beyond is cut to it. (Norm bounding, Sun et al. 2019,
arXiv 1911.07963, with the bound taken from the others.) A title that only one client has met has no one to contradict
it: there the bound is all there is, and a median over clients would be the one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

import numpy as np

from fedrec.protocol.adapters import ITEMS_A, State
from fedrec.protocol.item_rows import ItemAnswers, items_of, with_rows

_TIMES = 1.5

Sent = tuple[State, ItemAnswers | None]
"""An adapter, and what it says that its rows were learnt from."""


def bounded(sent: Mapping[str, Sent]) -> dict[str, Sent]:
    """By client, what counts of what was sent; the same where items have no rows."""
    if not all(ITEMS_A in state for state, _ in sent.values()):
        return dict(sent)
    lengths = {client: np.linalg.norm(state[ITEMS_A], axis=1) for client, (state, _) in sent.items()}
    longest = _bound([float(each.max()) for each in lengths.values() if len(each)])
    largest = _bound([_largest(answers) for _, answers in sent.values() if answers is not None and answers[1].any()])
    return {client: (_cut(sent[client][0], longest), _fewer(sent[client][1], largest)) for client in sent}


def _bound(values: list[float]) -> float:
    return _TIMES * median(values) if values else float("inf")


def _largest(answers: ItemAnswers) -> float:
    """The part of a client's answers that its most answered title has."""
    return float(answers[1].max() / answers[1].sum(dtype=np.int64))


def _cut(state: State, longest: float) -> State:
    rows = state[ITEMS_A]
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (length > longest).any():
        return state
    return with_rows(
        state, items_of(state), np.where(length > longest, rows * (longest / length), rows).astype(np.float32)
    )


def _fewer(answers: ItemAnswers | None, largest: float) -> ItemAnswers | None:
    if answers is None or not answers[1].any():
        return answers
    most = largest * float(answers[1].sum(dtype=np.int64))
    return answers[0], np.minimum(answers[1], np.int32(max(1, min(most, 2**31 - 1))))
