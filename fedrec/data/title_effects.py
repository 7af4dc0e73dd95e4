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
    people, b = _People(person, liked), np.zeros(titles)
    for _ in range(_SWEEPS):
        before = b
        people.fit(b[title])
        rest, weight = people.odds(b[title])
        b = b + (np.bincount(title, rest, titles) - prior * b) / (np.bincount(title, weight, titles) + prior)
        if np.abs(b - before).max() < _CLOSE:
            break
    rest, weight = people.odds(b[title])
    return TitleEffects(b, rest / (np.bincount(title, weight, titles)[title] + prior - weight))


def unexplained(person: NDArray[np.integer], liked: NDArray[np.bool_], effect: Values) -> Values:
    """(n,) 1 or 0 less the probability of a like, of n rows whose titles have these effects (n,); c and a are fitted.

    Its sum over a title's rows is the gradient of their log-likelihood by the title's effect.
    """
    people = _People(person, liked)
    for _ in range(_SWEEPS):
        before = people.a
        people.fit(effect)
        if np.abs(people.a - before).max(initial=0) < _CLOSE:
            break
    return people.odds(effect)[0]


class _People:
    """c and a."""

    def __init__(self, person: NDArray[np.integer], liked: NDArray[np.bool_]) -> None:
        self.person, self.liked, self.count = person, liked, int(person.max(initial=-1)) + 1
        self.c, self.a = 0.0, np.zeros(self.count)

    def odds(self, b: Values) -> tuple[Values, Values]:
        """What is unexplained of each row whose title has b (n,), and the information in it."""
        p = 1 / (1 + np.exp(-(self.c + self.a[self.person] + b)))
        return self.liked - p, p * (1 - p)

    def fit(self, b: Values) -> None:
        """A step of Newton's each."""
        rest, weight = self.odds(b)
        self.c += (rest.sum() - self.c) / (weight.sum() + 1)
        rest, weight = self.odds(b)
        gradient = np.bincount(self.person, rest, self.count) - _PERSON * self.a
        self.a = self.a + gradient / (np.bincount(self.person, weight, self.count) + _PERSON)
