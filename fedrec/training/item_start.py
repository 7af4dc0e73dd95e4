"""Where item rows begin: the first number of a row is its title's effect in the answers that are to be learnt from.

An answer is asked with its own share of that left out: else the layers learn to believe a title that has been told the
answer, and no new answer is so easy.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fedrec.models.adapter import to_arrays, to_state
from fedrec.models.item_tokens import item_tokens
from fedrec.protocol.item_rows import ItemAnswers, rows_of, with_some
from fedrec.training.item_step import prior_of
from fedrec.training.lesson import Lesson
from fedrec.training.step import Learning
from fedrec.training.title_effects import TitleEffects, title_effects


def with_item_rows(learning: Learning) -> Learning:
    """The learning with its items' rows begun.

    An adapter of one's own has them of these answers whenever it learns. One that is averaged with others' brings its
    own in the first round; later it starts with the mean, in which it has its share.
    """
    lesson, tokens = learning.lesson, item_tokens(learning.model)
    if tokens is None or not lesson.windows or len(lesson.readout.tokens) != 2:
        return learning
    found = _effects(lesson, tokens.first, tokens.count, prior_of(learning.config, lesson))
    if lesson.round and lesson.clients > 1:
        return replace(learning, own=(found.own / lesson.clients).astype(np.float32))
    items = np.flatnonzero(found.effect).astype(np.int32)
    start = to_arrays(learning.start)
    rows = rows_of(start, items)
    rows[:, 0] = found.effect[items]
    begun = with_some(start, items, rows)
    own = found.own.astype(np.float32)
    return replace(learning, start=to_state(begun), own=own)


def answers_by_item(learning: Learning) -> ItemAnswers | None:
    """The items of the answers to be learnt from, and how many are about each; None where items have no rows."""
    lesson, tokens = learning.lesson, item_tokens(learning.model)
    if tokens is None or not lesson.windows:
        return None
    items, counts = np.unique(_asked(lesson, tokens.first), return_counts=True)
    return items.astype(np.int32), counts.astype(np.int32)


def _asked(lesson: Lesson, first: int) -> NDArray[np.int64]:
    """The item that each answer is about, window after window."""
    found = [window.ids[window.ids >= first][window.rows - window.first] for window in lesson.windows]
    return np.concatenate(found) - first


def _effects(lesson: Lesson, first: int, count: int, prior: float) -> TitleEffects:
    """Of the answers that the lesson asks for; `own` (n,) of all its rows, 0 where it does not ask."""
    asked = np.concatenate([window.rows for window in lesson.windows])
    _, person = np.unique(lesson.users[asked], return_inverse=True)
    found = title_effects(person, _asked(lesson, first), lesson.labels[asked].astype(bool), count, prior)
    own = np.zeros(len(lesson.users))
    own[asked] = found.own
    return replace(found, own=own)
