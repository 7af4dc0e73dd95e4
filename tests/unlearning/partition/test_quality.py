"""Quality of a partition: hand-made values, and what renaming shards must not change."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.unlearning.partition.rows import make, random_rows
from unlearning.partition import Rows, describe


def test_by_hand() -> None:
    rows = make([0, 0, 0, 1], [0, 1, 2, 3], [1, 1, 0, 0], vectors=[[1, 0], [3, 0], [5, 0], [7, 0]])
    quality = describe(rows, np.array([0, 0, 0, 1], np.int32), 2)
    assert quality.balance == 3
    assert quality.shards_per_user == 1
    assert quality.separation == (3 * 1 + 1 * 9) / 20  # means 3 and 7 about 4
    assert math.isclose(quality.like_rate_spread, 1 / 3)  # 2/3 and 0
    spread = describe(rows, np.array([0, 1, 0, 1], np.int32), 3)
    assert spread.balance == math.inf
    assert spread.shards_per_user == 1.5
    assert spread.like_rate_spread == 0


def test_separation_is_one_where_a_shard_is_a_point_and_unknown_where_all_are() -> None:
    point = make([0] * 4, [0] * 4, vectors=[[1, 0], [1, 0], [0, 2], [0, 2]])
    assert describe(point, np.array([0, 0, 1, 1], np.int32), 2).separation == 1
    assert math.isnan(describe(make([0] * 4, [0] * 4), np.zeros(4, np.int32), 2).separation)


def test_no_rows() -> None:
    quality = describe(make([], []), np.empty(0, np.int32), 3)
    assert math.isnan(quality.balance)
    assert math.isnan(quality.shards_per_user)


@given(random_rows(), st.integers(1, 6), st.integers(0, 2**32))
def test_shards_have_no_names(rows: Rows, shards: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    shard = random.integers(0, shards, len(rows)).astype(np.int32)
    quality = describe(rows, shard, shards)
    renamed = describe(rows, random.permutation(shards).astype(np.int32)[shard], shards)
    assert quality.balance == renamed.balance
    assert quality.shards_per_user == renamed.shards_per_user
    assert 1 <= quality.shards_per_user <= shards
    np.testing.assert_allclose(
        [quality.separation, quality.like_rate_spread], [renamed.separation, renamed.like_rate_spread], atol=1e-12
    )
    assert not quality.separation > 1 + 1e-12
