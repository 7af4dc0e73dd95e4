"""What holds for every partitioner: all rows placed, units whole, the same answer twice, and odd sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unlearning.partition.rows import any_rows, make, random_rows, take
from unlearning.partition import PARTITIONERS, Partitioner, Rows

EVERY = pytest.mark.parametrize("partitioner", PARTITIONERS.values(), ids=PARTITIONERS)
ITEMS_TOGETHER = ("ibp", "public-row")


def whole(unit: np.ndarray, shard: np.ndarray) -> bool:
    return len(np.unique(np.stack([unit, shard]), axis=1).T) == len(np.unique(unit))


@EVERY
@settings(max_examples=20, deadline=None)
@given(rows=random_rows(), shards=st.integers(1, 16), seed=st.integers(0, 2**31))
def test_every_row_is_in_one_shard_and_units_are_whole(
    partitioner: Partitioner, rows: Rows, shards: int, seed: int
) -> None:
    shard = partitioner.place(rows, shards, seed)
    assert shard.dtype == np.int32
    assert shard.shape == (len(rows),)
    assert shard.min() >= 0
    assert shard.max() < shards
    if partitioner.unit == "user":
        assert whole(rows.user, shard)
    if partitioner.name in ITEMS_TOGETHER:
        assert whole(rows.item, shard)
    np.testing.assert_array_equal(shard, partitioner.place(rows, shards, seed))


@EVERY
def test_row_partitions_do_part_users(partitioner: Partitioner) -> None:
    rows = any_rows(0)
    assert whole(rows.user, partitioner.place(rows, 4, 0)) == (partitioner.unit == "user")


@EVERY
def test_one_shard_holds_all(partitioner: Partitioner) -> None:
    assert not partitioner.place(any_rows(0), 1, 0).any()


@EVERY
def test_no_rows(partitioner: Partitioner) -> None:
    for rows in (make([], []), take(any_rows(0), np.zeros(80, bool))):
        shard = partitioner.place(rows, 4, 0)
        assert shard.shape == (0,)
        assert shard.dtype == np.int32


@EVERY
def test_more_shards_than_units_leave_some_empty(partitioner: Partitioner) -> None:
    shard = partitioner.place(make([0, 0, 1], [0, 1, 1]), 8, 0)
    assert shard.shape == (3,)
    assert shard.max() < 8


@EVERY
def test_equal_units_are_no_obstacle(partitioner: Partitioner) -> None:
    """Identical users with identical, zero vectors: every centre and distance ties."""
    rows = make(np.repeat(np.arange(6), 2), np.tile([0, 1], 6), item_vectors=np.zeros((40, 3)))
    shard = partitioner.place(rows, 3, 0)
    assert shard.shape == (12,)
    assert shard.max() < 3


@pytest.mark.parametrize("name", ["random", "random-user", "hash", "hash-row"])
def test_the_seed_decides(name: str) -> None:
    rows = any_rows(0)
    assert (PARTITIONERS[name].place(rows, 4, 0) != PARTITIONERS[name].place(rows, 4, 1)).any()


@pytest.mark.parametrize(
    ("name", "unit"), [("random", "row"), ("random-user", "user"), ("semantic", "row")], ids=lambda value: str(value)
)
@given(rows=random_rows(), shards=st.integers(1, 6))
@settings(max_examples=15, deadline=None)
def test_equal_sizes(name: str, unit: str, rows: Rows, shards: int) -> None:
    """Random ones to within one unit; semantic ones up to ceil(n/K), all exactly full where K divides n."""
    shard = PARTITIONERS[name].place(rows, shards, 0)
    units = np.arange(len(rows)) if unit == "row" else rows.user
    of_unit = shard[np.unique(units, return_index=True)[1]]
    sizes = np.bincount(of_unit, minlength=shards)
    assert sizes.max() == -(-len(of_unit) // shards)
    if name != "semantic":
        assert np.ptp(sizes) <= 1


@pytest.mark.parametrize(
    ("name", "column", "share"),
    [("inbp", None, 1.2), ("ubp", "user", 1.2), ("ibp", "item", 1.2), ("bekm", "user", None), ("blpa", "user", None)],
)
@given(rows=random_rows(), shards=st.integers(1, 6))
@settings(max_examples=15, deadline=None)
def test_published_caps(name: str, column: str | None, share: float | None, rows: Rows, shards: int) -> None:
    shard = PARTITIONERS[name].place(rows, shards, 0)
    units = np.arange(len(rows)) if column is None else getattr(rows, column)
    of_unit = shard[np.unique(units, return_index=True)[1]]
    n = len(of_unit)
    cap = share * n / shards if share else n / shards + 0.005 * (n - n / shards)
    assert np.bincount(of_unit).max() <= np.ceil(cap - 1e-9)


@given(rows=random_rows(), shards=st.integers(1, 6))
@settings(max_examples=15, deadline=None)
def test_semantic_users_fill_a_shard_by_rows(rows: Rows, shards: int) -> None:
    of = np.bincount(rows.user)
    sizes = np.bincount(PARTITIONERS["semantic-user"].place(rows, shards, 0), minlength=shards)
    assert sizes.max() < -(-len(rows) // min(shards, (of > 0).sum())) + of.max()
