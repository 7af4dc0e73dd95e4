"""The best unseen items for one user, after one history, computed once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from fedrec.data.dataset import Catalogue, Interactions
from fedrec.data.prompts import PromptEncoder
from fedrec.ensemble.served_model import ServedModel
from fedrec.ensemble.shortlist import Stages, shortlist


@dataclass(frozen=True)
class Recommendation:
    """An item and the probability that the user likes it."""

    item: str
    title: str
    score: float


class Ranking(list[Recommendation]):
    """Items by falling score.

    Attributes:
        candidates: how many unseen items there are.
        read_in_full: how many of them were scored by title and token; a large catalogue's others were left out by
            their tokens alone (`fedrec.ensemble.shortlist`).
    """

    def __init__(self, items: Iterable[Recommendation], candidates: int, read_in_full: int) -> None:
        super().__init__(items)
        self.candidates, self.read_in_full = candidates, read_in_full


def best_unseen(
    answers: ServedModel,
    encoder: PromptEncoder,
    catalogue: Catalogue,
    rows: Interactions,
    user: str,
    top: int,
    stages: Stages | None = None,
) -> Ranking:
    """The `top` items without a row of the user's, by falling score (ties by item order).

    Args:
        stages: how a large catalogue is read.
    """
    stages = stages or Stages()
    mine = rows.user == rows.user_ids.index(user)
    past = encoder.past_of(rows.item[mine].tolist(), rows.label[mine].tolist())
    unseen = np.setdiff1d(np.arange(len(catalogue)), rows.item[mine])
    read = shortlist(answers, encoder, past, unseen, replace(stages, full=max(stages.full, top)))
    scores = answers.candidates(past, [encoder.question(item) for item in read.tolist()])
    best = np.argsort(-scores, kind="stable")[:top]
    found = (Recommendation(catalogue.ids[read[i]], catalogue.titles[read[i]], float(scores[i])) for i in best)
    return Ranking(found, len(unseen), len(read))
