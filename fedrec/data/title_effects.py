"""How much of the answers is the title: log-odds of a like = c + a_person + b_title, with a ridge penalty.

The mode of its posterior, by Newton's steps on persons and titles in turn: each is a problem of one number, so nothing
but sums is needed. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SWEEPS, _CLOSE = 50, 1e-4
_PERSON = 1.0  # precision of the prior of a_person

Values = NDArray[np.float64]


@dataclass(frozen=True)
class TitleEffects:
    """
    Attributes:
        effect: (titles,) b, in log-odds; 0 where nobody has met the title.
        own: (n,) how much of the title's effect is by the row itself: without the row it were that much less.
    """

    effect: Values
    own: Values


def title_effects(
    person: NDArray[np.integer], title: NDArray[np.integer], liked: NDArray[np.bool_], titles: int, prior: float
) -> TitleEffects:
    """Of n rows.

    Args:
        person: (n,) whose each is, from 0; title: (n,) below `titles`; liked: (n,).
        prior: precision of b's prior. Means over K groups of people, each with a Kth of the precision, come near b of
            them all (consensus Monte Carlo, Scott et al. 2016: the prior is shared out among the groups).
    """
    persons = int(person.max(initial=-1)) + 1
    a, b, c = np.zeros(persons), np.zeros(titles), 0.0

    def odds() -> tuple[Values, Values]:
        p = 1 / (1 + np.exp(-(c + a[person] + b[title])))
        return liked - p, p * (1 - p)

    for _ in range(_SWEEPS):
        before = b
        rest, weight = odds()
        c += (rest.sum() - c) / (weight.sum() + 1)
        rest, weight = odds()
        a = a + (np.bincount(person, rest, persons) - _PERSON * a) / (np.bincount(person, weight, persons) + _PERSON)
        rest, weight = odds()
        b = b + (np.bincount(title, rest, titles) - prior * b) / (np.bincount(title, weight, titles) + prior)
        if np.abs(b - before).max() < _CLOSE:
            break
    rest, weight = odds()
    return TitleEffects(b, rest / (np.bincount(title, weight, titles)[title] + prior - weight))
