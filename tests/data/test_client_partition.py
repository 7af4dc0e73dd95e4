"""Partitions: one client a user, none empty, and nobody else's presence moves a user."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fedrec.data.client_partition import by_column, by_hash, by_taste, client_names
from fedrec.data.dataset import TEST
from fedrec.errors import DataError, UsageError
from tests.data.rows import interactions


@given(st.integers(1, 2000))
def test_names_sort_as_they_count(count: int) -> None:
    names = client_names(count)
    assert len(set(names)) == count
    assert list(names) == sorted(names)


def test_names() -> None:
    assert client_names(2) == ("client-0", "client-1")
    assert client_names(11)[:2] == ("client-00", "client-01")
    assert client_names(["north", "south"]) == ("north", "south")


@given(st.lists(st.text(max_size=8), min_size=30, max_size=60, unique=True), st.integers(1, 3), st.data())
def test_hash_depends_on_the_user_alone(users: list[str], count: int, data: st.DataObject) -> None:
    try:
        everyone = dict(zip(users, by_hash(users, count), strict=True))
        some = data.draw(st.permutations(users))[:25]
        few = by_hash(some, count)
    except UsageError:
        assume(False)
    assert few.dtype == np.int32
    assert [everyone[user] for user in some] == few.tolist()
    assert set(everyone.values()) == set(range(count))


def test_hash_is_the_same_on_every_machine() -> None:
    assert by_hash([str(i) for i in range(12)], 3).tolist() == [0, 1, 1, 1, 1, 2, 0, 2, 0, 0, 0, 1]


def test_hash_balances() -> None:
    sizes = np.bincount(by_hash([f"user-{i}" for i in range(5000)], 5))
    assert (abs(sizes - 1000) < 120).all()


def test_an_empty_client_is_refused() -> None:
    with pytest.raises(UsageError, match=r"clients.count = 5: a client would have no user; choose fewer clients"):
        by_hash(["a", "b"], 5)
    with pytest.raises(UsageError, match="choose fewer clients"):
        by_taste(interactions([0, 1], [1, 1]), np.ones((2, 3)), 3, 0)


def test_column() -> None:
    clients = np.array([1, 1, 0], np.int32)
    rows = interactions([0, 0, 1], [1, 2, 1], client=clients, client_ids=("east", "west"))
    assert by_column(rows).tolist() == [1, 0]


def test_column_refuses_a_user_of_two_clients() -> None:
    clients = np.array([1, 0, 0], np.int32)
    rows = interactions([0, 0, 1], [1, 2, 1], client=clients, client_ids=("east", "west"))
    with pytest.raises(DataError, match="user 'u0' has rows with the clients 'east' and 'west'"):
        by_column(rows)
    with pytest.raises(UsageError, match=r"data.columns.client=NAME"):
        by_column(interactions([0], [1]))


def test_taste_finds_the_groups_of_train_rows_only() -> None:
    """Users 0-9 like item 0 and dislike item 1, users 10-19 the other way round; test rows say the contrary."""
    users = np.repeat(np.arange(20), 4)
    item = np.tile([0, 1, 0, 1], 20)
    likes = np.where(users < 10, item == 0, item == 1)
    split = np.tile(np.array([0, 0, TEST, TEST], np.int8), 20)
    likes = np.where(split == TEST, ~likes, likes)
    rows = interactions(users, np.tile([1, 2, 3, 4], 20), item, likes, split=split)
    vectors = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    clients = by_taste(rows, vectors, 2, seed=3)
    assert clients.dtype == np.int32
    assert set(clients[:10]) != set(clients[10:])
    assert len(set(clients[:10])) == len(set(clients[10:])) == 1
    np.testing.assert_array_equal(clients, by_taste(rows, vectors, 2, seed=3))


def test_taste_knows_likes_from_dislikes_of_the_same_items() -> None:
    users = np.repeat(np.arange(6), 2)
    rows = interactions(users, np.tile([1, 2], 6), np.tile([0, 1], 6), users >= 3)
    clients = by_taste(rows, np.eye(2), 2, seed=0)
    assert clients[0] == clients[1] == clients[2] != clients[3] == clients[4] == clients[5]
