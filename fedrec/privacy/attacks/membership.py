"""Membership inference by a threshold on the loss (Yeom et al., CSF 2018): how well scores tell who was trained on."""

from __future__ import annotations

import math

import numpy as np

from fedrec.intervals import auc_interval
from fedrec.metrics import Scores, auc


def membership_auc(forgotten: Scores, unseen: Scores) -> tuple[float, float, float]:
    """How well a score tells forgotten rows (m,) from rows never seen (n,): AUC and 95 % interval; NaN without either.

    Args:
        forgotten, unseen: higher = more like what was trained on, for example minus the row's loss.
    """
    m, n = len(forgotten), len(unseen)
    if not m or not n:
        return math.nan, math.nan, math.nan
    known = np.repeat(np.array([1, 0], np.int8), [m, n])
    value = auc(np.concatenate([forgotten, unseen]), known)
    return value, *auc_interval(value, m, n)
