"""The trivial scorers equal their definition, written out row by row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from fedrec.data.dataset import TEST, TRAIN, Interactions
from fedrec.data.trivial import PSEUDO_ROWS, RECENT, SCORERS, trivial_auc, trivial_scores
from tests.data.rows import interactions, random_rows


def by_definition(rows: Interactions, row: int) -> tuple[float, float]:
    train = rows.split == TRAIN
    prior = rows.label[train].mean() if train.any() else 0.5

    def rate(labels: np.ndarray) -> float:
        return float((labels.sum() + PSEUDO_ROWS * prior) / (len(labels) + PSEUDO_ROWS))

    same_item = train & (rows.item == rows.item[row])
    before = np.flatnonzero(rows.user[:row] == rows.user[row])[-RECENT:]
    return rate(rows.label[same_item]), rate(rows.label[before])


@given(random_rows(max_users=3))
def test_scores_follow_the_definition(rows: Interactions) -> None:
    scores = trivial_scores(rows)
    item, user = np.array([by_definition(rows, row) for row in range(len(rows))]).T
    np.testing.assert_allclose(scores["item"], item)
    np.testing.assert_allclose(scores["user"], user)
    np.testing.assert_allclose(scores["sum"], item + user)
    assert tuple(scores) == SCORERS


@given(random_rows())
def test_a_label_never_scores_itself_outside_train(rows: Interactions) -> None:
    last = len(rows) - 1
    split = rows.split.copy()
    split[last] = TEST
    labels = rows.label.copy()
    labels[last] = 1 - labels[last]
    one, two = (
        Interactions(rows.user, rows.item, label, rows.time, split, rows.user_ids) for label in (rows.label, labels)
    )
    for name in SCORERS:
        np.testing.assert_array_equal(trivial_scores(one)[name], trivial_scores(two)[name])


def test_auc_is_over_the_chosen_rows() -> None:
    """Item 0 is liked in train and test, item 1 in neither; every user has as many likes as dislikes."""
    user, item = np.repeat(np.arange(4), 2), np.tile([0, 1], 4)
    split = np.where(user < 2, TRAIN, TEST).astype(np.int8)
    rows = interactions(user, np.tile([1, 2], 4), item, item == 0, split=split)
    assert trivial_auc(rows, split == TEST)["item"] == 1.0
    assert trivial_auc(rows, split == TEST)["user"] == 0.0
    assert np.isnan(trivial_auc(rows, item == 0)["item"])


@pytest.mark.parametrize("size", [50_000])
def test_fifty_thousand_rows_are_quick(size: int) -> None:
    import time

    random = np.random.default_rng(0)
    rows = interactions(random.integers(0, 800, size), random.integers(0, 10**6, size), random.integers(0, 3000, size))
    start = time.perf_counter()
    trivial_scores(rows)
    assert time.perf_counter() - start < 1
