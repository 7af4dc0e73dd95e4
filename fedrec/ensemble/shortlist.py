"""Which items of a large catalogue are read in full after a history: those that could be among the best by all signs.

    all items     predicted by the rows of their tokens: ridge regression on what a sample's own tokens score
    best `own`    asked about by their own tokens, one token each instead of a title's
    best `full`   read in full, as ranking without a shortlist reads all

An item's token says what its title says and what people did with it (`fedrec.models.item_tokens`), so that it ranks
nearly as title and token do. Which items are read follows from history, catalogue and adapters alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedrec.data.prompts import PromptEncoder, Tokens
from fedrec.ensemble.served_model import ServedModel

_RIDGE = 0.02  # of the mean eigenvalue


@dataclass(frozen=True)
class Stages:
    """How many items each stage reads.

    Attributes:
        whole: so many at most are all read in full.
        sample: spread over the catalogue, by which rows are weighed for a history.
        own, full: as above.
    """

    whole: int = 5_000
    sample: int = 2_000
    own: int = 20_000
    full: int = 2_000


def shortlist(
    answers: ServedModel,
    encoder: PromptEncoder,
    past: Tokens,
    items: NDArray[np.intp],
    stages: Stages,
) -> NDArray[np.intp]:
    """Those of the items (m,), rising, that are to be read in full; all, where they are few or have no tokens."""
    if len(items) <= max(stages.whole, stages.full) or not answers.knows_items:
        return items

    def asked(some: NDArray[np.intp]) -> NDArray[np.float64]:
        return answers.candidates(past, [encoder.brief(item) for item in some.tolist()])

    near = items
    if len(items) > stages.own:
        sample = np.unique(np.linspace(0, len(items) - 1, stages.sample).astype(np.intp))
        vectors = answers.token_vectors(past, [encoder.titles[item][-1] for item in items.tolist()])
        near = items[_best(_predicted(vectors, sample, asked(items[sample])), stages.own)]
    return near[_best(asked(near), stages.full)]


def _predicted(
    vectors: NDArray[np.float32], known: NDArray[np.intp], scores: NDArray[np.float64]
) -> NDArray[np.float32]:
    """(m,) of vectors (m, d), by ridge regression on the scores of those that are known; up to a constant."""
    x = vectors[known].astype(np.float64)
    mean = x.mean(0)
    gram = (x - mean).T @ (x - mean)
    ridge = _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    weights = np.linalg.solve(gram + ridge, (x - mean).T @ (scores - scores.mean()))
    return vectors @ weights.astype(np.float32)


def _best(scores: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """Places of the highest scores, rising."""
    return np.sort(np.argsort(-scores, kind="stable")[:count])
