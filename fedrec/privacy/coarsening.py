"""AUCs told so coarsely that the numbers of rows behind them, which may give a person away, do not follow."""

from __future__ import annotations

import math

from fedrec.intervals import auc_change, auc_interval
from fedrec.metrics import Scores
from fedrec.privacy.attacks.membership import membership_auc


def coarse_membership(forgotten: Scores, unseen: Scores) -> tuple[float, float, float]:
    """The same of a rounded AUC, with the interval of `coarse_interval`.

    An exact AUC or interval gives m and n away, and with the source at hand these are often enough to tell whose rows
    they were.
    """
    value = membership_auc(forgotten, unseen)[0]
    if math.isnan(value):
        return math.nan, math.nan, math.nan
    told = round(value, 2)
    return told, *coarse_interval(*auc_interval(told, _coarse(len(forgotten)), _coarse(len(unseen))))


def coarse_change(before: float, after: float, m: int, n: int) -> tuple[float, float, float]:
    """`auc_change`, rounded, from which neither m nor n follows."""
    change, low, high = auc_change(before, after, _coarse(m), _coarse(n))
    return round(change, 2), *coarse_interval(low, high)


def coarse_interval(low: float, high: float) -> tuple[float, float]:
    """The interval widened to whole hundredths."""
    return math.floor(100 * low) / 100, math.ceil(100 * high) / 100


def _coarse(rows: int) -> int:
    """The power of two at or below a number of rows; 1 for none."""
    return 1 << max(0, rows.bit_length() - 1)
