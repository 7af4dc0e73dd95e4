"""Splits: later rows test, nobody's future teaches, and the counts are those stated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.data.dataset import HISTORY, TEST, TRAIN, VALID, Interactions
from fedrec.data.split import earlier_rows, keep_train_rows, resolve_rule, split_rows
from fedrec.errors import DataError, UsageError
from tests.data.rows import interactions, random_rows

fractions = st.sampled_from([(0.1, 0.2), (0.0, 0.5), (0.3, 0.3), (0.25, 0.01)])


@given(random_rows(), fractions)
def test_user_time_counts_and_order(rows: Interactions, parts: tuple[float, float]) -> None:
    valid, test = parts
    try:
        split = split_rows(rows, "user-time", valid, test)
    except DataError:
        assert np.bincount(rows.user).max() * test < 1
        return
    for user in range(len(rows.user_ids)):
        mine = split[rows.user == user]
        assert (np.diff(mine) >= 0).all()
        assert (mine == TEST).sum() == int(len(mine) * test + 1e-9)
        assert (mine == VALID).sum() == int(len(mine) * valid + 1e-9)
        assert (mine == TRAIN).any()


@given(random_rows(), fractions)
def test_global_time_never_cuts_a_second(rows: Interactions, parts: tuple[float, float]) -> None:
    valid, test = parts
    try:
        split = split_rows(rows, "global-time", valid, test)
    except DataError:
        return
    order = np.argsort(rows.time, kind="stable")
    assert (np.diff(split[order]) >= 0).all()
    for second in np.unique(rows.time):
        assert len(set(split[rows.time == second])) == 1
    assert (split == TEST).sum() <= len(rows) * test
    assert (split >= VALID).sum() <= len(rows) * (valid + test)


def test_global_time_without_ties_is_exact() -> None:
    rows = interactions(np.repeat(np.arange(10), 10), np.random.default_rng(0).permutation(100))
    assert np.bincount(split_rows(rows, "global-time", 0.1, 0.29)).tolist() == [61, 10, 29]


def test_tallrec_takes_the_last_ten_thousand() -> None:
    users, each = 150, 100
    rows = interactions(np.repeat(np.arange(users), each), np.random.default_rng(0).permutation(users * each))
    split = split_rows(rows, "tallrec", 0.1, 0.2)
    assert np.bincount(split).tolist() == [8000, 1000, 1000, users * each - 10_000]
    assert (earlier_rows(rows)[split != HISTORY] >= 10).all()
    assert rows.time[split == TRAIN].max() < rows.time[split == VALID].min()
    assert rows.time[split == VALID].max() < rows.time[split == TEST].min()
    ready = earlier_rows(rows) >= 10
    assert rows.time[ready & (split == HISTORY)].max() < rows.time[split == TRAIN].min()


def test_tallrec_with_fewer_rows_and_with_too_few() -> None:
    rows = interactions(np.repeat(np.arange(2), 20), np.arange(40))
    assert np.bincount(split_rows(rows, "tallrec", 0.1, 0.2)).tolist() == [16, 2, 2, 20]
    with pytest.raises(DataError, match="no train rows among 10"):
        split_rows(interactions([0] * 10, range(10)), "tallrec", 0.1, 0.2)


@given(random_rows())
def test_given_is_kept_and_auto_prefers_it(rows: Interactions) -> None:
    there = {TRAIN, TEST} <= set(rows.split.tolist())
    if there:
        np.testing.assert_array_equal(split_rows(rows, "given", 0.1, 0.2), rows.split)
    else:
        with pytest.raises(DataError, match=r"data.split = given: no (train|test) rows"):
            split_rows(rows, "given", 0.1, 0.2)
    assert resolve_rule(rows, "auto") == ("given" if TEST in rows.split else "user-time")
    assert resolve_rule(rows, "tallrec") == "tallrec"


def test_fractions_must_leave_train_rows() -> None:
    with pytest.raises(UsageError, match=r"data.valid_fraction \+ data.test_fraction = 1 leaves no train rows"):
        split_rows(interactions([0, 0], [1, 2]), "user-time", 0.5, 0.5)


@given(random_rows(), st.integers(1, 70), st.integers(0, 5))
def test_train_rows_are_drawn_by_the_seed(rows: Interactions, count: int, seed: int) -> None:
    keep = keep_train_rows(rows.split, count, seed)
    train = rows.split == TRAIN
    assert keep[~train].all()
    assert keep[train].sum() == min(count, train.sum())
    np.testing.assert_array_equal(keep, keep_train_rows(rows.split, count, seed))


def test_another_seed_draws_other_rows() -> None:
    split = np.zeros(1000, np.int8)
    assert not np.array_equal(keep_train_rows(split, 500, 1), keep_train_rows(split, 500, 2))


@given(random_rows())
def test_earlier_rows_counts_the_user_s_past(rows: Interactions) -> None:
    expected = [int((rows.user[:row] == rows.user[row]).sum()) for row in range(len(rows))]
    assert earlier_rows(rows).tolist() == expected
