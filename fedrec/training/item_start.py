"""Where item rows begin: the first number of a row is its title's effect in the answers that are to be learnt from.

An answer is asked with its own share of that left out: else the layers learn to believe a title that has been told the
answer, and no new answer is so easy.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fedrec.data.title_effects import TitleEffects, title_effects
from fedrec.models.adapter import to_arrays, to_state
from fedrec.models.item_tokens import item_tokens
from fedrec.protocol.item_rows import ItemAnswers, Items, rows_of, with_some
from fedrec.training.item_step import prior_of
from fedrec.training.lesson import Lesson
from fedrec.training.step import Learning


def with_item_rows(learning: Learning) -> Learning:
    """The learning with its items' rows begun.

    An adapter of one's own has them of these answers whenever it learns. One that is averaged with others' brings its
    own in the first round; later it starts with the mean, in which it has its share.
    """
    if (told := titles_told(learning)) is None:
        return learning
    lesson, (items, found) = learning.lesson, told
    if lesson.round and lesson.clients > 1:
        return replace(learning, own=(found.own / lesson.clients).astype(np.float32))
    met, start = found.effect != 0, to_arrays(learning.start)
    rows = rows_of(start, items[met])
    rows[:, 0] = found.effect[met]
    begun = with_some(start, items[met], rows)
    return replace(learning, start=to_state(begun), own=found.own.astype(np.float32))


def titles_told(learning: Learning) -> tuple[Items, TitleEffects] | None:
    """The items (m,) of the answers that are to be learnt from, and what they tell: `effect` (m,) of those items alone,
    however many the catalogue has; `own` (n,) of all the lesson's rows, 0 where it does not ask.

    None where items have no rows, nothing is asked, or there are more answers than two.
    """
    lesson, tokens = learning.lesson, item_tokens(learning.model)
    if tokens is None or not lesson.windows or len(lesson.readout.tokens) != 2:
        return None
    asked = np.concatenate([window.rows for window in lesson.windows])
    _, person = np.unique(lesson.users[asked], return_inverse=True)
    items, title = np.unique(_asked(lesson, tokens.first), return_inverse=True)
    liked, prior = lesson.labels[asked].astype(bool), prior_of(learning.config, lesson)
    found = title_effects(person, title, liked, len(items), prior)
    own = np.zeros(len(lesson.users))
    own[asked] = found.own
    return items, replace(found, own=own)


def answers_by_item(learning: Learning) -> ItemAnswers | None:
    """The items of the answers to be learnt from, and how many are about each; None where items have no rows."""
    lesson, tokens = learning.lesson, item_tokens(learning.model)
    if tokens is None or not lesson.windows:
        return None
    items, counts = np.unique(_asked(lesson, tokens.first), return_counts=True)
    return items, counts.astype(np.int32)


def _asked(lesson: Lesson, first: int) -> NDArray[np.int32]:
    """The item that each answer is about, window after window."""
    found = [window.ids[window.ids >= first][window.rows - window.first] for window in lesson.windows]
    return (np.concatenate(found) - first).astype(np.int32)
