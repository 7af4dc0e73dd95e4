"""What training and deletions cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingCost:
    """Training that was done: the shards, rows processed, optimiser steps and seconds, all together."""

    shards: tuple[int, ...] = ()
    rows: int = 0
    steps: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Deletion:
    """A deletion that is done.

    Attributes:
        rows: rows deleted.
        shards: shards that were withdrawn and trained again.
        withdrawn_seconds: from the call until nothing was served that saw the rows.
        seconds: from the call until all shards were back.
    """

    rows: int
    shards: tuple[int, ...]
    cost: TrainingCost
    withdrawn_seconds: float
    seconds: float
