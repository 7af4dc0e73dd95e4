"""The capped assignment is the published walk over sorted pairs, and its centres are vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from unlearning.partition.clustering import assign, capped_kmeans, group_means, moved_centres


def published_walk(cost: NDArray[np.float64], cap: int, weight: NDArray[np.int64]) -> list[int]:
    """Sort all pairs ascending; give i to k if i is free and k is below the cap."""
    pairs = sorted((value, i, k) for (i, k), value in np.ndenumerate(cost))
    shard, load = [-1] * len(cost), [0] * cost.shape[1]
    for _, i, k in pairs:
        if shard[i] < 0 and load[k] < cap:
            shard[i] = k
            load[k] += int(weight[i])
    return shard


@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 4), st.booleans(), st.integers(0, 2**32))
def test_assign_is_the_published_walk(n: int, k: int, slack: int, ties: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    cost = random.integers(0, 4, (n, k)).astype(float) if ties else random.normal(size=(n, k))
    ones, heavy = np.ones(n, np.int64), random.integers(1, 9, n)
    for weight in (ones, heavy):
        cap = -(-int(weight.sum()) // k) + slack
        shard = assign(cost, cap, weight)
        assert shard.dtype == np.int32
        assert shard.tolist() == published_walk(cost, cap, weight)
        load = np.bincount(shard, weights=weight, minlength=k)
        assert load.sum() == weight.sum()
        assert (load < cap + weight.max()).all()
    np.testing.assert_array_equal(assign(cost, n), assign(cost, n, ones))


def test_without_a_binding_cap_everyone_has_the_cheapest_shard() -> None:
    cost = np.random.default_rng(0).normal(size=(50, 4))
    np.testing.assert_array_equal(assign(cost, 50), cost.argmin(1))


def test_late_units_take_what_is_left() -> None:
    assert assign(np.array([[3.0, 9.0], [1.0, 9.0], [2.0, 9.0], [4.0, 5.0]]), 2).tolist() == [1, 0, 0, 1]


def test_too_little_room_is_a_fault() -> None:
    with pytest.raises(ValueError, match="2 shards of 2 rows cannot hold 5"):
        assign(np.zeros((5, 2)), 2)


@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**32))
def test_capped_kmeans_fills_every_shard_to_the_cap_at_most(n: int, k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = (random.normal(size=(n, 3)), random.normal(size=(n, 2)))
    cap = -(-n // k) + 1
    shard = capped_kmeans(parts, k, cap, 5, seed)
    assert np.bincount(shard, minlength=k).max() <= cap
    assert shard.shape == (n,)
    assert shard.max() < k
    np.testing.assert_array_equal(shard, capped_kmeans(parts, k, cap, 5, seed))


def test_capped_kmeans_ends_where_everyone_is_at_home() -> None:
    """With room for all, a converged partition gives each unit its nearest centre."""
    points = np.random.default_rng(1).normal(size=(60, 2))
    shard = capped_kmeans((points,), 3, 60, 200, 1)
    centres = np.stack([points[shard == k].mean(axis=0) for k in range(3)])
    np.testing.assert_array_equal(shard, ((points[:, None] - centres) ** 2).sum(-1).argmin(1))


def test_centres_are_vectors_of_member_means() -> None:
    vectors = np.array([[1.0, 10.0], [3.0, 30.0], [5.0, 0.0]])
    before = np.full((3, 2), 7.0)
    moved = moved_centres(vectors, np.array([0, 0, 2], np.int32), before)
    np.testing.assert_array_equal(moved, [[2.0, 20.0], [7.0, 7.0], [5.0, 0.0]])


def test_group_means_are_of_the_own_rows() -> None:
    random = np.random.default_rng(0)
    vectors, group = random.normal(size=(90, 5)).astype(np.float32), random.integers(0, 7, 90)
    all_means = group_means(vectors, group, 9)
    for g in range(7):
        np.testing.assert_allclose(all_means[g], vectors[group == g].mean(axis=0, dtype=np.float64), rtol=1e-12)
    assert not all_means[7:].any()
