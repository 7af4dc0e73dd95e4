"""Canaries: made-up people, each in a training or not by a fair coin, and what telling them apart proves of epsilon.

Pure functions on arrays; the bounds are `fedrec.privacy.attacks.epsilon`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import TRAIN, Interactions
from fedrec.metrics import Scores
from fedrec.privacy.attacks.epsilon import LEVEL, from_guesses, from_rates

ROWS = 6  # of each canary
_SHARES = (1.0, 0.5, 0.25, 0.125)  # of the canaries that are guessed about: four tries, paid for


def with_canaries(
    rows: Interactions, items: int, count: int, seed: int, answers: int = ROWS
) -> tuple[Interactions, NDArray[np.int32]]:
    """The rows and those of so many canaries: a canary's answers are coins, and its titles those that are met least.

    Args:
        items: of the catalogue.
        answers: of each canary; 1 where a single row is what is protected.

    Returns:
        The table, whose truth is not known; and (n,) which canary each row is of, -1 of none.
    """
    random = np.random.default_rng(seed)
    met = np.bincount(rows.item[rows.split == TRAIN], minlength=items)
    rare = np.lexsort((random.permutation(items), met))
    each = min(answers, items)
    titles = np.resize(rare, count * each).reshape(count, each)
    people, n = len(rows.user_ids), count * each

    def both(name: str, new: NDArray[Any]) -> NDArray[Any]:
        own = getattr(rows, name)
        return np.concatenate([own, new.astype(own.dtype)])

    whole = Interactions(
        user=both("user", np.repeat(np.arange(people, people + count), each)),
        item=both("item", titles.ravel()),
        label=both("label", random.integers(2, size=n)),
        time=both("time", np.tile(np.arange(each), count)),
        split=both("split", np.full(n, TRAIN)),
        user_ids=(*rows.user_ids, *(f"canary {k}" for k in range(count))),
    )
    return whole, np.where(whole.user >= people, whole.user - people, -1).astype(np.int32)


def proved(scores: Scores, inside: NDArray[np.bool_], delta: float) -> float:
    """The epsilon that the scores refute at 95 %, of whatever else the canaries share.

    Of the canaries of all trainings, those with the most telling scores are guessed about: the higher half of them are
    said to be in. Scores must not be made of who is in.

    Args:
        scores: (K, C) of each canary in each of K trainings; higher = more like one that was in.
        inside: (K, C) fair coins.
    """
    m = scores.size
    order = np.argsort(-scores, axis=None, kind="stable")
    known, best = inside.ravel()[order], 0.0
    level = 1 - (1 - LEVEL) / len(_SHARES)
    for share in _SHARES:
        half = int(share * m) // 2
        if half:
            right = int(known[:half].sum() + (~known[-half:]).sum())
            best = max(best, from_guesses(m, 2 * half, right, delta, level))
    return best


def proved_by_rates(scores: Scores, inside: NDArray[np.bool_], delta: float) -> float:
    """The same by Clopper-Pearson, which takes the canaries of one training for independent trials, as they nearly are.

    The threshold is the best one for the first half of the trainings; the second half is counted.
    """
    half = len(scores) // 2
    if not half:
        return 0.0
    tried, known = scores[:half], inside[:half]
    best = max(np.unique(tried), key=lambda at: _epsilon(tried, known, float(at), delta))
    return _epsilon(scores[half:], inside[half:], float(best), delta)


def _epsilon(scores: Scores, inside: NDArray[np.bool_], threshold: float, delta: float) -> float:
    taken = scores >= threshold
    hits, alarms = int((taken & inside).sum()), int((taken & ~inside).sum())
    return from_rates(hits, int(inside.sum()), alarms, int((~inside).sum()), delta)
