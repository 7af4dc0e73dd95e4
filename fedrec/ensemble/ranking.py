"""The best unseen items for one user: the whole catalogue scored after one history, computed once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fedrec.data.dataset import Catalogue, Interactions
from fedrec.data.prompts import PromptEncoder
from fedrec.ensemble.served_model import ServedModel


@dataclass(frozen=True)
class Recommendation:
    """An item and the probability that the user likes it."""

    item: str
    title: str
    score: float


def best_unseen(
    answers: ServedModel, encoder: PromptEncoder, catalogue: Catalogue, rows: Interactions, user: str, top: int
) -> list[Recommendation]:
    """The `top` items without a row of the user's, by falling score (ties by item order)."""
    mine = rows.user == rows.user_ids.index(user)
    past = encoder.past_of(rows.item[mine].tolist(), rows.label[mine].tolist())
    unseen = np.setdiff1d(np.arange(len(catalogue)), rows.item[mine])
    scores = answers.candidates(past, [encoder.question(item) for item in unseen.tolist()])
    best = np.argsort(-scores, kind="stable")[:top]
    return [Recommendation(catalogue.ids[unseen[i]], catalogue.titles[unseen[i]], float(scores[i])) for i in best]
