"""How exact a deletion was is found out, not believed."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from fedrec.data.selection import Selection
from tests.unlearning.models import Maker
from unlearning.central.model import ShardedModel
from unlearning.comparison.exactness import exactness
from unlearning.shards.files import ShardFiles

USER = Selection(users=("u07",))


@pytest.mark.parametrize(
    ("method", "found"),
    [
        ("strict-hash", "strict"),
        ("public+average-d", "strict"),
        ("hash-row+sisa", "strict"),
        ("retraining", "strict"),
        ("apa-user", "given-partition"),
        ("sisa", "given-partition"),
    ],
)
def test_what_each_partition_gives(maker: Maker, method: str, found: str) -> None:
    model = maker.trained(method, shards=3)
    before = model.table
    gone = USER.mask(before.interactions, model.catalogue)
    model.forget(USER)
    assert exactness(model, before, gone) == found


def test_a_shard_that_was_not_trained_again_is_found(maker: Maker) -> None:
    model = maker.trained("strict-hash", shards=2)
    before = model.table
    gone = USER.mask(before.interactions, model.catalogue)
    (shard,) = set(before.assignment.shard[gone].tolist()) - {-1}
    old = ShardFiles(model.folder, shard).path
    shutil.copytree(old, old.with_name("kept"))
    model.forget(USER)
    assert exactness(model, before, gone) == "strict"
    shutil.rmtree(old)
    shutil.move(old.with_name("kept"), old)
    found = {each: ShardFiles(model.folder, each).adapter() for each in range(2)}
    states = {each: state for each, state in found.items() if state is not None}
    model.serve(states, model.judged_by(states))
    assert exactness(ShardedModel(model.folder), before, gone) == "no"


def test_a_shard_that_is_away_is_not_exact_yet(maker: Maker) -> None:
    model = maker.trained("strict-hash", shards=2)
    before = model.table
    model.withdraw(USER)
    assert exactness(model, before, USER.mask(before.interactions, model.catalogue)) == "no"


def test_rows_that_stayed_are_found(maker: Maker) -> None:
    model = maker.trained("strict-hash", shards=2)
    before = model.table
    gone = USER.mask(before.interactions, model.catalogue)
    assert exactness(model, before, gone) == "no"
    assert exactness(model, before, np.zeros(len(gone), bool)) == "strict"
