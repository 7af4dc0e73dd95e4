"""Strict partitions: an erasure moves nobody else, and nothing private of another user is looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.data.user_hash import by_hash
from fedrec.errors import FedrecError
from tests.unlearning.partition.rows import any_rows, make, random_rows, take, two_camps
from unlearning.partition import PARTITIONERS, Partitioner, Rows

STRICT = [partitioner for partitioner in PARTITIONERS.values() if partitioner.strict]
EVERY_STRICT = pytest.mark.parametrize("partitioner", STRICT, ids=lambda partitioner: partitioner.name)


def renumbered(rows: Rows) -> Rows:
    """The rows as a run that never had the other users would index them."""
    users, user = np.unique(rows.user, return_inverse=True)
    return replace(rows, user=user.astype(np.int32), user_ids=tuple(rows.user_ids[u] for u in users))


def test_the_strict_ones() -> None:
    assert [partitioner.name for partitioner in STRICT] == ["public", "public-row", "hash", "hash-row"]


@EVERY_STRICT
@settings(max_examples=25, deadline=None)
@given(rows=random_rows(), shards=st.integers(1, 8), data=st.data())
def test_erasing_users_moves_nobody_else(
    partitioner: Partitioner, rows: Rows, shards: int, data: st.DataObject
) -> None:
    erased = data.draw(st.sets(st.integers(0, len(rows.user_ids) - 1)))
    kept = ~np.isin(rows.user, list(erased))
    expected = partitioner.place(rows, shards, 7)[kept]
    left = take(rows, kept)
    np.testing.assert_array_equal(partitioner.place(left, shards, 7), expected)
    np.testing.assert_array_equal(partitioner.place(renumbered(left), shards, 7), expected)


@EVERY_STRICT
@settings(max_examples=25, deadline=None)
@given(rows=random_rows(), shards=st.integers(1, 8), seed=st.integers(0, 2**32))
def test_erasing_rows_moves_no_other_unit(partitioner: Partitioner, rows: Rows, shards: int, seed: int) -> None:
    """A user partition may move the very user who lost rows, and only the public one does."""
    kept = np.random.default_rng(seed).random(len(rows)) < 0.7
    before = partitioner.place(rows, shards, 7)[kept]
    after = partitioner.place(take(rows, kept), shards, 7)
    own = np.isin(rows.user, rows.user[~kept])[kept] if partitioner.name == "public" else np.zeros(kept.sum(), bool)
    np.testing.assert_array_equal(after[~own], before[~own])


@EVERY_STRICT
@settings(max_examples=25, deadline=None)
@given(rows=random_rows(), shards=st.integers(1, 8), seed=st.integers(0, 2**32))
def test_order_labels_and_prompts_say_nothing(partitioner: Partitioner, rows: Rows, shards: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    shard, order = partitioner.place(rows, shards, 7), random.permutation(len(rows))
    np.testing.assert_array_equal(partitioner.place(take(rows, order), shards, 7), shard[order])
    other = replace(rows, label=1 - rows.label, vectors=random.normal(size=rows.vectors.shape).astype(np.float32))
    np.testing.assert_array_equal(partitioner.place(other, shards, 7), shard)


@pytest.mark.parametrize("name", [name for name, partitioner in PARTITIONERS.items() if not partitioner.strict])
def test_the_others_do_move_people(name: str) -> None:
    """Or they would be called strict: somewhere among ten erasures another user's row changes its shard."""
    rows = any_rows(3)
    place, moved = PARTITIONERS[name].place, False
    for user in range(10):
        kept = rows.user != user
        moved |= bool((place(rows, 4, 0)[kept] != place(take(rows, kept), 4, 0)).any())
    assert moved


def test_hash_is_the_federation_s() -> None:
    rows = any_rows(0)
    np.testing.assert_array_equal(PARTITIONERS["hash"].place(rows, 4, 42), by_hash(rows.user_ids, 4, "42")[rows.user])


def test_hash_row_parts_repeated_pairs_by_their_key() -> None:
    rows = make([0] * 40, [1] * 40)
    assert len(set(PARTITIONERS["hash-row"].place(rows, 4, 0))) == 4


@pytest.mark.parametrize("name", ["public", "public-row"])
def test_public_partitions_keep_what_is_alike_together(name: str) -> None:
    rows = two_camps(0)
    shard = PARTITIONERS[name].place(rows, 2, 0)
    camp = rows.user >= 20
    assert len(set(shard[camp])) == len(set(shard[~camp])) == 1
    assert shard[camp][0] != shard[~camp][0]


def test_public_places_by_the_mean_of_the_users_items() -> None:
    """A cohort at four points of a square; two items far away whose mean is one of the points."""
    corners = np.array([[0, 0], [0, 9], [9, 0], [9, 9]], np.float32)
    items = np.array([[-20, 0], [20, 0], [0, 9], [9, 0], [9, 9]], np.float32)
    rows = replace(make([0, 0, 1, 2, 3], [0, 1, 2, 3, 4], item_vectors=items), public=np.repeat(corners, 3, axis=0))
    shard = PARTITIONERS["public"].place(rows, 4, 0)
    assert shard[0] == shard[1]
    assert len(set(shard[1:])) == 4


@pytest.mark.parametrize("name", ["public", "public-row"])
def test_too_small_a_public_side_is_refused(name: str) -> None:
    rows = replace(make([0], [0], item_vectors=np.eye(3)), public=np.eye(3, dtype=np.float32))
    with pytest.raises(FedrecError, match="4 shards from 3 public vectors: use fewer shards"):
        PARTITIONERS[name].place(rows, 4, 0)
