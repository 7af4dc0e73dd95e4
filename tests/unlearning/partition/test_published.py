"""The published partitions find planted groups, and their parts compute what the papers say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unlearning.partition.rows import any_rows, make, two_camps
from unlearning.partition import PARTITIONERS, grapheraser
from unlearning.partition.factors import ALPHA, RIDGE, factorise


@pytest.mark.parametrize("name", ["inbp", "ubp", "ibp", "bekm", "blpa", "semantic", "semantic-user"])
def test_two_camps_are_told_apart(name: str) -> None:
    """Wholly, or nearly so: capped K-means from random centres may stop short."""
    for seed in range(3):
        rows = two_camps(seed, users=100, items=160, each=40)
        shard, camp = PARTITIONERS[name].place(rows, 2, seed), rows.user >= 50
        assert abs(shard[camp].mean() - shard[~camp].mean()) > 0.9


def test_factors_solve_their_equation() -> None:
    """After the last half step the gradient of the weighted loss by the items' embeddings is zero."""
    rows = any_rows(0)
    users, items = factorise(rows, 0)
    seen, liked = np.zeros((12, 20)), np.zeros((12, 20))
    seen[rows.user, rows.item] = 1
    liked[rows.user[rows.label == 1], rows.item[rows.label == 1]] = 1
    gradient = ((1 + ALPHA * seen) * (users @ items.T - liked)).T @ users + RIDGE * items
    assert np.abs(gradient).max() < 1e-8
    assert np.abs(items).max() > 0.01


def test_who_has_no_like_has_no_taste() -> None:
    users, items = factorise(make([0, 0, 1], [0, 1, 1], [1, 0, 0]), 0)
    assert users[0].any()
    assert not users[1].any()
    assert items[0].any()
    assert not items[1].any()


def test_semantic_rows_go_by_the_prompt_not_the_item() -> None:
    random = np.random.default_rng(0)
    camp = random.permutation(np.repeat([0, 1], 30))
    vectors = np.where(camp[:, None] == 1, [1.0, 5.0], [5.0, 1.0]) + random.normal(0, 0.1, (60, 2))
    shard = PARTITIONERS["semantic"].place(make([0] * 60, random.integers(0, 8, 60), vectors=vectors), 2, 0)
    assert abs(shard[camp == 1].mean() - shard[camp == 0].mean()) == 1


def test_semantic_goes_by_direction_not_length() -> None:
    """Short and long vectors of two directions; rows of the one direction share a shard."""
    vectors = np.outer(np.tile([1.0, 3.0], 20), [1.0, 0.0])
    vectors[20:] = vectors[20:, ::-1]
    shard = PARTITIONERS["semantic"].place(make([0] * 40, [0] * 40, vectors=vectors), 2, 0)
    assert abs(shard[:20].mean() - shard[20:].mean()) == 1


def test_a_waiting_user_moves_when_a_place_is_free() -> None:
    """0 waits for the full shard 1; 1 leaves it for shard 2, so 0 may follow."""
    shard, wish = np.array([0, 1, 2], np.int32), np.array([1, 2, 2], np.int32)
    assert grapheraser.serve(shard, wish, np.array([0, 1]), 2, 3).tolist() == [1, 2, 2]
    assert grapheraser.serve(shard, wish, np.array([0, 1]), 1, 3).tolist() == [0, 1, 2]
    full = np.array([0, 1, 1, 2], np.int32)
    assert grapheraser.serve(full, np.array([1, 2, 1, 2], np.int32), np.array([0, 1]), 2, 3).tolist() == [1, 2, 1, 2]


@given(st.integers(1, 30), st.integers(1, 5), st.integers(0, 2**32))
def test_serving_keeps_the_cap_and_grants_wishes_only(n: int, shards: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    shard = (random.permutation(n) % shards).astype(np.int32)
    wish = random.integers(0, shards, n).astype(np.int32)
    queue = random.permutation(np.flatnonzero((wish != shard) & (random.random(n) < 0.7)))
    cap = grapheraser.cap(n, shards)
    after = grapheraser.serve(shard, wish, queue, cap, shards)
    moved = np.flatnonzero(after != shard)
    assert set(moved) <= set(queue)
    np.testing.assert_array_equal(after[moved], wish[moved])
    size = np.bincount(after, minlength=shards)
    assert size.max() <= cap
    assert all(size[wish[unit]] == cap for unit in set(queue) - set(moved))  # who stays found no room
