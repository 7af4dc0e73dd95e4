"""Membership inference: how well a score tells rows that were trained on from rows that were not.

By a threshold on the loss (Yeom et al., CSF 2018) the score is the log-likelihood of what happened; by a likelihood
ratio it is `fedrec.privacy.attacks.lira`. The AUC is an average; what an attacker is sure of is the true-positive rate
at a low false-positive rate (Carlini et al., IEEE S&P 2022).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.intervals import auc_interval
from fedrec.metrics import Scores, auc

FALSE_POSITIVES = 0.01
_DRAWS, _SEED = 200, 0


@dataclass(frozen=True)
class Attack:
    """What a membership inference finds, with 95 % intervals by the percentiles of a bootstrap over people.

    Attributes:
        auc: 0.5 is chance, of a model that forgot more than it should it is below.
        tpr: share of members above the score that one in a hundred others reaches.
    """

    auc: float
    auc_low: float
    auc_high: float
    tpr: float
    tpr_low: float
    tpr_high: float


def membership_auc(forgotten: Scores, unseen: Scores) -> tuple[float, float, float]:
    """How well a score tells forgotten rows (m,) from rows never seen (n,): AUC and 95 % interval; NaN without either.

    Args:
        forgotten, unseen: higher = more like what was trained on, for example minus the row's loss.
    """
    m, n = len(forgotten), len(unseen)
    if not m or not n:
        return math.nan, math.nan, math.nan
    value = _auc(forgotten, unseen)
    return value, *auc_interval(value, m, n)


def true_positives(forgotten: Scores, unseen: Scores, rate: float = FALSE_POSITIVES) -> float:
    """The share of forgotten rows above a threshold that at most `rate` of the unseen rows are above; NaN of none."""
    if not len(forgotten) or not len(unseen):
        return math.nan
    allowed = int(rate * len(unseen))
    threshold = np.partition(unseen, len(unseen) - 1 - allowed)[len(unseen) - 1 - allowed]
    return float((forgotten > threshold).mean())


def attack(
    forgotten: Scores, unseen: Scores, people: tuple[NDArray[Any], NDArray[Any]], rate: float = FALSE_POSITIVES
) -> Attack:
    """
    Args:
        forgotten, unseen: (m,) and (n,), higher = more like what was trained on.
        people: whose rows they are, (m,) and (n,). They are drawn anew together, all rows of a person at once; of one
            person alone, row by row.
        rate: of false positives.
    """
    if not len(forgotten) or not len(unseen):
        return Attack(*[math.nan] * 6)
    who = people if len(np.unique(people[0])) > 1 else (np.arange(len(forgotten)), -1 - np.arange(len(unseen)))
    names, where = np.unique(np.concatenate(who), return_inverse=True)
    random, drawn = np.random.default_rng(_SEED), []
    for _ in range(_DRAWS):
        times = np.bincount(random.integers(len(names), size=len(names)), minlength=len(names))[where]
        again = np.repeat(forgotten, times[: len(forgotten)]), np.repeat(unseen, times[len(forgotten) :])
        drawn.append((_auc(*again), true_positives(*again, rate)))
    (auc_low, tpr_low), (auc_high, tpr_high) = np.nanpercentile(np.array(drawn), (2.5, 97.5), axis=0)
    found = _auc(forgotten, unseen), true_positives(forgotten, unseen, rate)
    return Attack(found[0], float(auc_low), float(auc_high), found[1], float(tpr_low), float(tpr_high))


def _auc(forgotten: Scores, unseen: Scores) -> float:
    known = np.repeat(np.array([1, 0], np.int8), [len(forgotten), len(unseen)])
    return auc(np.concatenate([forgotten, unseen]), known)
