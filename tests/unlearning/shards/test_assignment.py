"""Who has to be trained again when rows go: every shard that would come out otherwise, validation rows and all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedrec.config import RunConfig, TrainConfig
from fedrec.data.dataset import TRAIN, VALID, Interactions
from fedrec.data.prompts import Window
from fedrec.tasks.like import YesOrNo
from unlearning.shards.assignment import NOWHERE, ShardAssignment
from unlearning.shards.training import make_jobs

SHARDS, SLICES = 3, 2


class EverythingBefore:
    """A window a row, of all that its person said before."""

    readout = YesOrNo((0, 1))

    def windows(self, rows: Interactions, wanted: NDArray[np.bool_]) -> list[Window]:
        found = []
        for row in np.flatnonzero(wanted):
            before = np.flatnonzero((rows.user == rows.user[row]) & (np.arange(len(rows)) < row))
            ids = np.array([*(rows.item[before] * 2 + rows.label[before]), rows.item[row] * 2], np.int64)
            found.append(Window(ids, np.array([len(ids) - 1]), np.array([row])))
        return found


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Interactions, ShardAssignment, NDArray[np.bool_]]:
    """Rows of a few people in any splits, sorted by rows or by people, and some that go."""
    random, n = np.random.default_rng(draw(st.integers(0, 2**32))), draw(st.integers(1, 25))
    user = np.sort(random.integers(0, 4, n)).astype(np.int32)
    item, label, split = random.integers(0, 9, n), random.integers(0, 2, n), random.integers(0, 4, n)
    rows = Interactions(
        user, item.astype(np.int32), label.astype(np.int8), np.arange(n), split.astype(np.int8), tuple("abcd")
    )
    whose = rows.user if draw(st.booleans()) else np.arange(n)
    places = random.integers(0, (SHARDS, SLICES), (n + 4, 2)).astype(np.int32)[whose]
    shard, slice_ = np.where((rows.split == TRAIN)[:, None], places, NOWHERE).T
    return rows, ShardAssignment(shard, slice_), random.random(n) < draw(st.sampled_from((0.05, 0.3)))


def jobs(rows: Interactions, assignment: ShardAssignment, train: TrainConfig) -> list[tuple[str, ...]]:
    encoder: Any = EverythingBefore()
    made = make_jobs(rows, assignment, encoder, range(SHARDS), SLICES, RunConfig(train=train), "")
    return [job.digests for job in made]


@pytest.mark.parametrize("stop", ["validation", "never"])
@given(world=worlds())
def test_shards_that_change_are_those_that_saw_what_goes(
    stop: Any, world: tuple[Interactions, ShardAssignment, NDArray[np.bool_]]
) -> None:
    rows, assignment, gone = world
    train = TrainConfig(stop=stop)
    before, after = jobs(rows, assignment, train), jobs(rows.take(~gone), assignment.take(~gone), train)
    changed = {shard for shard in range(SHARDS) if before[shard] != after[shard]}
    assert changed <= set(assignment.that_saw(rows, gone, train))


@given(worlds())
def test_a_shard_that_changes_has_read_other_rows(
    world: tuple[Interactions, ShardAssignment, NDArray[np.bool_]],
) -> None:
    rows, assignment, gone = world
    train = TrainConfig()
    left, left_assignment = rows.take(~gone), assignment.take(~gone)
    before, after = jobs(rows, assignment, train), jobs(left, left_assignment, train)
    for shard in range(SHARDS):
        read = assignment.stopped_by(rows, train).read(rows, shard)
        kept = left_assignment.stopped_by(left, train).read(left, shard)
        if before[shard] != after[shard]:
            assert not np.array_equal(read[~gone], kept) or (read & gone).any()


@given(worlds())
def test_a_persons_validation_rows_stop_one_shard(
    world: tuple[Interactions, ShardAssignment, NDArray[np.bool_]],
) -> None:
    rows, assignment, _ = world
    stopped = assignment.stopped_by(rows, TrainConfig())
    for user in range(4):
        places = set(stopped.shard[(rows.user == user) & (rows.split == VALID)].tolist())
        taught = assignment.shard[(rows.user == user) & (rows.split == TRAIN)]
        assert places <= ({int(taught[-1])} if len(taught) else {NOWHERE})
    assert (stopped.shard[rows.split != VALID] == assignment.shard[rows.split != VALID]).all()
