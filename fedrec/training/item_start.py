"""Where item rows begin: the first number of a row is its title's effect in the answers that are to be learnt from.

An answer is asked with a part of its own share of that left out (`LEFT_OUT`): else the layers learn to believe a title
that has been told the answer, and no new answer is so easy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fedrec.data.title_effects import TitleEffects, title_effects
from fedrec.models.adapter import to_arrays, to_state
from fedrec.models.item_tokens import item_tokens
from fedrec.protocol.item_precision import NOTHING
from fedrec.protocol.item_rows import ItemAnswers, Items, rows_of, with_some
from fedrec.training.item_step import prior_of
from fedrec.training.lesson import Lesson
from fedrec.training.step import Learning


def with_item_rows(learning: Learning) -> Learning:
    """The learning with its items' rows begun, as every adapter that nobody else's rows are in has them."""
    if (told := titles_told(learning)) is None:
        return learning
    (items, found), start = told, to_arrays(learning.start)
    met = found.effect != 0
    rows = rows_of(start, items[met])
    rows[:, 0] = found.effect[met]
    begun = with_some(start, items[met], rows)
    return replace(learning, start=to_state(begun), own=found.own.astype(np.float32))


def titles_told(learning: Learning) -> tuple[Items, TitleEffects] | None:
    """The items (m,) of the answers that are to be learnt from, and what they tell: `effect` (m,) of those items alone,
    however many the catalogue has; `own` (n,) of all the lesson's rows, 0 where it does not ask.

    None where items have no rows, nothing is asked, or there are more answers than two.
    """
    if (told := told_answers(learning)) is None:
        return None
    prior = prior_of(learning.config, learning.lesson)
    found = title_effects(told.person, told.title, told.liked, len(told.items), prior)
    own = np.zeros(len(learning.lesson.users))
    own[told.rows] = found.own
    return told.items, replace(found, own=own)


@dataclass(frozen=True)
class Told:
    """The k answers that a lesson asks for.

    Attributes:
        rows: (k,) which of the lesson's rows they are.
        person: (k,) whose, from 0; title: (k,) about which of the items (m,); liked: (k,).
    """

    rows: NDArray[np.intp]
    person: NDArray[np.intp]
    title: NDArray[np.intp]
    liked: NDArray[np.bool_]
    items: Items


def told_answers(learning: Learning) -> Told | None:
    """None as `titles_told`."""
    lesson, tokens = learning.lesson, item_tokens(learning.model)
    if tokens is None or not lesson.windows or len(lesson.readout.tokens) != 2:
        return None
    rows = np.concatenate([window.rows for window in lesson.windows])
    _, person = np.unique(lesson.users[rows], return_inverse=True)
    items, title = np.unique(_asked(lesson, tokens.first), return_inverse=True)
    return Told(rows, person, title, lesson.labels[rows].astype(bool), items)


def answers_by_item(learning: Learning) -> ItemAnswers | None:
    """The items of the answers to be learnt from, and how many are about each; None where items have no rows."""
    lesson, tokens = learning.lesson, item_tokens(learning.model)
    if tokens is None:
        return None
    if not lesson.windows:
        return NOTHING
    items, counts = np.unique(_asked(lesson, tokens.first), return_counts=True)
    return items, counts.astype(np.int32)


def _asked(lesson: Lesson, first: int) -> NDArray[np.int32]:
    """The item that each answer is about, window after window."""
    found = [window.ids[window.ids >= first][window.rows - window.first] for window in lesson.windows]
    return (np.concatenate(found) - first).astype(np.int32)
