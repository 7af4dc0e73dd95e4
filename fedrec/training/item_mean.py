"""Item rows that are a mean of several clients': the titles' effects in everybody's answers, found round by round.

    b <- b + sum_i (g_i - p_i b) / sum_i (h_i + p_i)

of clients i, where g_i is the gradient of their answers' log-likelihood by a title's effect b, h_i the information in
them and p_i a part of the prior's precision: Newton's step on all answers together, which rests at the effects that
they have in one place. Averaged by their precision h_i + p_i, rows b + (g_i - p_i b) / (h_i + p_i) are that step; of an
item that a client has not met that is no row at all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fedrec.data.title_effects import unexplained
from fedrec.models.adapter import State, to_arrays, to_state
from fedrec.protocol.adapters import ITEMS_A, ROWS
from fedrec.protocol.item_precision import INFORMATION, Known, known_of
from fedrec.protocol.item_rows import items_of, rows_of, with_rows
from fedrec.training.item_start import Told, told_answers
from fedrec.training.item_step import prior_of
from fedrec.training.step import Learning


def from_mean(learning: Learning, known: Known) -> Learning:
    """The learning that starts with such a mean, with its own share in each row.

    Args:
        known: how precise the rows are.
    """
    if (told := told_answers(learning)) is None:
        return learning
    precision, own = known_of(known, told.items)[told.title], np.zeros(len(learning.lesson.users), np.float32)
    others = np.maximum(precision - INFORMATION, prior_of(learning.config, learning.lesson))
    own[told.rows] = _unexplained(learning, told) / others
    return replace(learning, own=own)


def towards_all(learning: Learning, trained: State, part: float) -> State:
    """What a client sends of an adapter that it has trained from such a mean: its rows with that step.

    Args:
        part: of the clients that are averaged; as far the step goes, lest each round be of its own clients alone.
    """
    if not learning.lesson.windows:
        return _less(trained, part)
    if (told := told_answers(learning)) is None:
        return trained
    prior, m = prior_of(learning.config, learning.lesson), len(told.items)
    answers = np.bincount(told.title, minlength=m)
    gradient = np.bincount(told.title, _unexplained(learning, told), m)
    step = (gradient - prior * _effects(learning, told)) / (INFORMATION * answers + prior)
    state = to_arrays(trained)
    items = np.union1d(items_of(state), told.items)
    rows, met = rows_of(state, items), np.isin(items, told.items)
    rows[met, 0] += part * step
    rows[~met] *= 1 - part
    return to_state(with_rows(state, items, rows))


def _less(trained: State, part: float) -> State:
    """As somebody sends it who has met no item."""
    state = to_arrays(trained)
    if ROWS not in state:
        return trained
    return to_state(with_rows(state, items_of(state), np.float32(1 - part) * state[ITEMS_A]))


def _effects(learning: Learning, told: Told) -> NDArray[np.float32]:
    """(m,) those of the items, in the mean."""
    return rows_of(to_arrays(learning.start), told.items)[:, 0]


def _unexplained(learning: Learning, told: Told) -> NDArray[np.float64]:
    return unexplained(told.person, told.liked, _effects(learning, told)[told.title].astype(np.float64))
