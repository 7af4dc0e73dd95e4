"""Scores of a person's rows of a split from one history, that of before the first of them, as `recommend` ranks.

With a history that grows row by row, UAUC punishes whatever learns from the person's recent answers: within a finite
run of answers a yes leaves fewer yeses for the rest (Miller and Sanjurjo, Econometrica 86:2019, 2018).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import Interactions
from fedrec.data.prompts import PromptEncoder
from fedrec.ensemble.served_model import ServedModel


def scores_at_split(
    answers: ServedModel, encoder: PromptEncoder, rows: Interactions, wanted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(n,) like-probability of the wanted rows, those of a person as candidates of one moment.

    NaN for other rows, and for those of people whose wanted rows are all liked or all disliked: there none is ranked.
    A person's scores depend on nobody else, not even in their last bits.

    Args:
        wanted: (n,) of one split.
    """
    scores = np.full(len(rows), np.nan)
    starts = np.searchsorted(rows.user, np.arange(len(rows.user_ids)))
    for mine in _rankable(rows, np.flatnonzero(wanted)):
        start, first = starts[rows.user[mine[0]]], mine[0]
        past = encoder.past_of(rows.item[start:first].tolist(), rows.label[start:first].tolist())
        scores[mine] = answers.candidates(past, [encoder.question(item) for item in rows.item[mine].tolist()])
    return scores


def _rankable(rows: Interactions, wanted: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """The wanted rows of each person who has both classes of them."""
    borders = np.flatnonzero(np.diff(rows.user[wanted])) + 1
    return [mine for mine in np.split(wanted, borders) if len(np.unique(rows.label[mine])) > 1]
