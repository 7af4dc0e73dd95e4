"""What a selection covers, and the table without it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.data.dataset import Catalogue, Interactions
from fedrec.data.selection import Selection, of_some_people, row_keys, without
from fedrec.errors import UsageError

CATALOGUE = Catalogue(("a", "b", "c"), ("A", "B", "C"))
USERS = ("u", "v", "w", "x")


def table(seed: int, n: int = 20) -> Interactions:
    random = np.random.default_rng(seed)
    user, item = random.integers(0, 4, n).astype(np.int32), random.integers(0, 3, n).astype(np.int32)
    label, time = random.integers(0, 2, n).astype(np.int8), random.integers(0, 9, n)
    return Interactions(user, item, label, time, np.zeros(n, np.int8), USERS)


SELECTIONS = st.just(Selection(everything=True)) | st.builds(
    Selection,
    users=st.sets(st.sampled_from(USERS)).map(tuple),
    items=st.sets(st.sampled_from(CATALOGUE.ids)).map(tuple),
    since=st.none() | st.integers(0, 8),
    until=st.none() | st.integers(0, 8),
)


@given(SELECTIONS, st.integers(0, 50))
def test_a_row_goes_if_it_meets_every_condition(selection: Selection, seed: int) -> None:
    rows = table(seed)
    for gone, user, item, time in zip(
        selection.mask(rows, CATALOGUE), rows.user, rows.item, rows.time.tolist(), strict=True
    ):
        assert gone == (
            selection != Selection()
            and (not selection.users or USERS[user] in selection.users)
            and (not selection.items or CATALOGUE.ids[item] in selection.items)
            and (selection.since is None or time >= selection.since)
            and (selection.until is None or time <= selection.until)
        )


@given(SELECTIONS, st.integers(0, 50))
def test_without_it_the_table_is_what_it_would_have_been(selection: Selection, seed: int) -> None:
    rows = table(seed)
    gone = selection.mask(rows, CATALOGUE)
    left = without(rows, gone)
    assert row_keys(left, CATALOGUE).tolist() == row_keys(rows, CATALOGUE)[~gone].tolist()
    assert np.array_equal(left.label, rows.label[~gone])
    assert set(left.user_ids) == {USERS[user] for user in rows.user[~gone]}


def test_nothing_is_selected_by_no_condition_and_everything_by_its_word_alone() -> None:
    rows = table(2)
    assert not Selection().mask(rows, CATALOGUE).any()
    assert Selection(everything=True).mask(rows, CATALOGUE).all()
    for selection in (Selection(), Selection(everything=True, users=("u",)), Selection(everything=True, until=3)):
        with pytest.raises(UsageError, match="is named"):
            selection.check_conditions()
    Selection(everything=True).check_conditions()


def test_single_rows_are_named_by_their_keys() -> None:
    rows = table(1)
    keys = row_keys(rows, CATALOGUE)
    chosen = Selection(rows=(keys[3], keys[7]))
    chosen.check(rows, CATALOGUE)
    assert {keys[i] for i in np.flatnonzero(chosen.mask(rows, CATALOGUE))} == {keys[3], keys[7]}


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        (Selection(), "nothing is named"),
        (Selection(users=("y",)), "user 'y'"),
        (Selection(items=("a", "d")), "item 'd'"),
        (Selection(rows=("u\ta\t99",)), "row"),
        (Selection(since=5, until=4), "wrong way round"),
    ],
)
def test_what_is_not_there_is_told(selection: Selection, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        selection.check(table(1), CATALOGUE)


@given(st.integers(0, 50), st.integers(0, 25), st.integers(0, 5), st.lists(st.booleans(), min_size=20, max_size=20))
def test_some_people_come_whole_and_no_more_than_it_takes(seed: int, enough: int, drawn: int, kept: list[bool]) -> None:
    rows, wanted = table(seed), np.array(kept)
    chosen = of_some_people(rows, wanted, enough, drawn)
    counts = np.bincount(rows.user[wanted], minlength=len(USERS))
    of_each = np.bincount(rows.user[chosen], minlength=len(USERS))
    assert not (chosen & ~wanted).any()
    assert set(np.flatnonzero(of_each != counts)) <= set(np.flatnonzero(of_each == 0))
    assert of_each.sum() >= min(enough, counts.sum())
    assert not enough or of_each.sum() - of_each.max() < enough
