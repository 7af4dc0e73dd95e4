"""Where each training row lives: its shard, and its slice of the shard (SISA, Bourtoule et al. 2021).

A row's slice is a keyed hash of what moves together (the row, or its user), so nobody changes slices when others go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import HISTORY, TRAIN, VALID, Interactions
from fedrec.data.user_hash import by_hash

if TYPE_CHECKING:
    from fedrec.config import TrainConfig
    from unlearning.partition import Partitioner, Rows

NOWHERE = -1


@dataclass(frozen=True)
class ShardAssignment:
    """
    Attributes:
        shard: (n,) int32 shard of every row, `NOWHERE` for rows that teach nothing (test, history; valid, unless they
            stop a training: `stopped_by`).
        slice: (n,) int32 slice within the shard, likewise.
    """

    shard: NDArray[np.int32]
    slice: NDArray[np.int32]

    def take(self, rows: NDArray[np.bool_]) -> ShardAssignment:
        return ShardAssignment(self.shard[rows], self.slice[rows])

    def only(self, rows: NDArray[np.bool_]) -> ShardAssignment:
        """(n,) the same, but for all other rows nowhere, and in the first slice."""
        return ShardAssignment(np.where(rows, self.shard, NOWHERE).astype(np.int32), np.zeros_like(self.slice))

    def learned(self, shard: int, upto: int) -> NDArray[np.bool_]:
        """(n,) the rows of a shard's slices 0 to `upto`."""
        return np.asarray((self.shard == shard) & (self.slice <= upto))

    def stopped_by(self, interactions: Interactions, train: TrainConfig) -> ShardAssignment:
        """The same, with each validation row where its person's last training row lives, if it stops that training.

        So a person's validation rows are in one shard, which a deletion of any row before them changes anyway.
        """
        if train.stop == "never":
            return self
        last, taught = np.full(len(interactions.user_ids), -1), self.shard != NOWHERE
        np.maximum.at(last, interactions.user[taught], np.flatnonzero(taught))
        of = last[interactions.user]
        moved = (interactions.split == VALID) & (of >= 0)
        shard, slice_ = (np.where(moved, each[of], each).astype(np.int32) for each in (self.shard, self.slice))
        return ShardAssignment(shard, slice_)

    def read(self, interactions: Interactions, shard: int) -> NDArray[np.bool_]:
        """(n,) the rows that a shard's training reads: its own, and those of histories before a person's last one."""
        taught, last = self.shard == shard, np.full(len(interactions.user_ids), -1)
        np.maximum.at(last, interactions.user[taught], np.flatnonzero(taught))
        before = np.arange(len(interactions)) <= last[interactions.user]
        return np.asarray(before & (np.isin(interactions.split, (TRAIN, HISTORY)) | taught))

    def that_saw(self, interactions: Interactions, gone: NDArray[np.bool_], train: TrainConfig) -> tuple[int, ...]:
        """The shards that learnt from a row that goes, or from a later row of its user, whose history it stands in.

        A shard is among them, too, that validation rows come to because their person's last training row goes.
        """
        before = self.stopped_by(interactions, train)
        read = gone & (np.isin(interactions.split, (TRAIN, HISTORY)) | (before.shard != NOWHERE))
        first = np.full(len(interactions.user_ids), len(interactions), np.int64)
        np.minimum.at(first, interactions.user[read], np.flatnonzero(read))
        saw = np.arange(len(interactions)) >= first[interactions.user]
        after = self.only(~gone).stopped_by(interactions, train)
        shards = np.union1d(before.shard[saw], after.shard[after.shard != before.shard])
        return tuple(int(shard) for shard in shards if shard != NOWHERE)


def assign_shards(
    interactions: Interactions, rows: Rows, partitioner: Partitioner, shards: int, slices: int, seed: int
) -> ShardAssignment:
    """Sort the training rows into shards and slices.

    Args:
        rows: the training rows of `interactions`, in their order.
    """
    keys = [rows.user_ids[user] for user in rows.user] if partitioner.unit == "user" else rows.row_keys.tolist()
    shard, slice_ = np.full((2, len(interactions)), NOWHERE, np.int32)
    teaching = interactions.split == TRAIN
    shard[teaching] = partitioner.place(rows, shards, seed)
    slice_[teaching] = by_hash(keys, slices, f"slice {seed}")
    return ShardAssignment(shard, slice_)
