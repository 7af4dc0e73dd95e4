"""Ranking and calibration metrics of scores against 0/1 labels. Pure functions on arrays."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Labels = NDArray[np.int8]


def auc(scores: Scores, labels: Labels) -> float:
    """Area under the ROC curve: P(score of a like > score of a dislike), ties counted half; NaN with one class only.

    U / (n₁ n₀) of Mann and Whitney, U a whole number of halves.
    """
    positive = labels == 1
    likes, others = np.sort(scores[positive]), np.sort(scores[~positive])  # a NaN comes last
    if not len(likes) or not len(others) or np.isnan(likes[-1]) or np.isnan(others[-1]):
        return float("nan")
    below, up_to = (np.searchsorted(others, likes, side).sum() for side in ("left", "right"))
    return float((below + up_to) / 2 / (len(likes) * len(others)))


def uauc(scores: Scores, labels: Labels, users: NDArray[np.int32]) -> float:
    """Mean AUC over the users who have both classes (CoLLM's UAUC, unweighted); NaN if none has."""
    return mean(aucs_of_users(scores, labels, users))


def aucs_of_users(scores: Scores, labels: Labels, users: NDArray[Any]) -> list[float]:
    """The AUC of each user who has both classes, and no row without a score."""
    order = np.argsort(users, kind="stable")
    borders = np.flatnonzero(np.diff(users[order])) + 1
    values = [auc(scores[rows], labels[rows]) for rows in np.split(order, borders)]
    return [value for value in values if not np.isnan(value)]


def mean(values: list[float]) -> float:
    """The same in whatever order the values are."""
    return math.fsum(values) / len(values) if values else float("nan")


def logloss(scores: Scores, labels: Labels) -> float:
    """Mean negative log-likelihood in nats, probabilities clipped to [1e-7, 1 - 1e-7]; NaN without rows."""
    if len(scores) == 0:
        return float("nan")
    p = np.clip(scores, 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(labels == 1, np.log(p), np.log1p(-p))))


@dataclass(frozen=True)
class Metrics:
    """The metrics of one set of rows.

    Attributes:
        ranked: users with both classes, whose AUCs `uauc` is the mean of.
        uauc_at_split: UAUC of scores from each user's history at the split; NaN where there are none.
    """

    examples: int
    auc: float
    uauc: float
    uauc_at_split: float
    logloss: float
    ranked: int

    def as_dict(self) -> dict[str, float | int]:
        return asdict(self)


def measure(scores: Scores, labels: Labels, users: NDArray[np.int32], at_split: Scores | None = None) -> Metrics:
    """All metrics of n rows: scores (n,) probabilities of a like, labels (n,), users (n,).

    Args:
        at_split: (n,) scores from one history a user (`fedrec.ensemble.at_split`), if they are known.
    """
    aucs = aucs_of_users(scores, labels, users)
    return Metrics(
        examples=len(scores),
        auc=auc(scores, labels),
        uauc=mean(aucs),
        uauc_at_split=float("nan") if at_split is None else uauc(at_split, labels, users),
        logloss=logloss(scores, labels),
        ranked=len(aucs),
    )
