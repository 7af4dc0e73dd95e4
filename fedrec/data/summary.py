"""What is in a data set: counts, like-rates, history lengths, trivial and best possible AUC. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedrec import metrics
from fedrec.data.dataset import SPLITS, TEST, VALID, Dataset, Interactions
from fedrec.data.split import earlier_rows
from fedrec.data.trivial import trivial_scores

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class SplitSummary:
    """One split; like_rate is NaN without rows."""

    rows: int
    users: int
    items: int
    like_rate: float


@dataclass(frozen=True)
class UserSummary:
    """One user's rows; `client` is known in a run only."""

    user: str
    client: str | None
    rows: int
    train: int
    valid: int
    test: int
    likes: int


@dataclass(frozen=True)
class Summary:
    """A data set in figures.

    Attributes:
        items: films in the catalogue, rated or not.
        titles_repeated: items whose title another item has too.
        unrated: items without rows.
        rows_per_user: (5,) quantiles 0, .25, .5, .75, 1.
        history: (5,) the same of the number of earlier rows of the user, over the test rows.
        trivial: split ("valid", "test") → scorer → AUC.
        best_possible_auc: AUC of the true like-probability on the test rows; None where it is unknown.
    """

    name: str
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    skipped: int
    rows: int
    users: int
    items: int
    like_rate: float
    titles_repeated: int
    unrated: int
    rows_per_user: tuple[float, ...]
    history: tuple[float, ...]
    splits: dict[str, SplitSummary]
    trivial: dict[str, dict[str, float]]
    best_possible_auc: float | None


def summarise(data: Dataset) -> Summary:
    """The figures of a data set with at least one row."""
    rows = data.interactions
    test = rows.split == TEST
    undefined = [
        _without_auc(name, rows.label[rows.split == value]) for value, name in ((VALID, "valid"), (TEST, "test"))
    ]
    shares = Counter(data.catalogue.titles)
    return Summary(
        name=data.name,
        notes=(*data.notes, *(why for why in undefined if why)),
        warnings=data.warnings,
        skipped=data.skipped,
        rows=len(rows),
        users=len(rows.user_ids),
        items=len(data.catalogue),
        like_rate=_like_rate(rows.label),
        titles_repeated=sum(count for count in shares.values() if count > 1),
        unrated=len(data.catalogue) - len(np.unique(rows.item)),
        rows_per_user=_quantiles(np.bincount(rows.user, minlength=len(rows.user_ids))),
        history=_quantiles(earlier_rows(rows)[test]),
        splits={name: part for value, name in enumerate(SPLITS) if (part := _summarise_split(rows, value)).rows},
        trivial=_trivial(rows),
        best_possible_auc=None if rows.truth is None else metrics.auc(rows.truth[test], rows.label[test]),
    )


def _trivial(rows: Interactions) -> dict[str, dict[str, float]]:
    later = (rows.split == VALID) | (rows.split == TEST)
    scores, label, split = trivial_scores(rows, later), rows.label[later], rows.split[later]
    return {
        SPLITS[value]: {name: metrics.auc(of[split == value], label[split == value]) for name, of in scores.items()}
        for value in (VALID, TEST)
    }


def summarise_users(rows: Interactions, count: int, client_of: Mapping[str, str]) -> list[UserSummary]:
    """The first `count` users in the order of the table."""
    by_split = np.zeros((len(rows.user_ids), len(SPLITS)), np.int64)
    np.add.at(by_split, (rows.user, rows.split), 1)
    likes = np.bincount(rows.user, weights=rows.label, minlength=len(rows.user_ids))
    first = zip(rows.user_ids[:count], by_split[:count].tolist(), likes[:count].tolist(), strict=True)
    return [
        UserSummary(user, client_of.get(user), train + valid + test + past, train, valid, test, int(liked))
        for user, (train, valid, test, past), liked in first
    ]


def _summarise_split(rows: Interactions, value: int) -> SplitSummary:
    of = rows.split == value
    users, items = (int(np.count_nonzero(np.bincount(column[of]))) for column in (rows.user, rows.item))
    return SplitSummary(int(of.sum()), users, items, _like_rate(rows.label[of]))


def _without_auc(split: str, labels: NDArray[np.int8]) -> str | None:
    """Why a split has no AUC; None where it has one."""
    if not len(labels):
        return f"no {split} AUC: there are no {split} rows"
    if labels.min() == labels.max():
        which = "like" if labels[0] else "dislike"
        rows = f"the only {split} row is a" if len(labels) == 1 else f"all {len(labels):,} {split} rows are"
        return f"no {split} AUC: {rows} {which}" + ("" if len(labels) == 1 else "s")
    return None


def _like_rate(labels: NDArray[np.int8]) -> float:
    return float(labels.mean()) if len(labels) else float("nan")


def _quantiles(values: NDArray[np.int64]) -> tuple[float, ...]:
    return tuple(float(value) for value in np.quantile(values, QUANTILES)) if len(values) else ()
