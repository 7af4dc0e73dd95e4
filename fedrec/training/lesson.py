"""What one adapter learns in one round. Everything random follows from its key (seed, client, shard, round)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedrec.config import TrainConfig
from fedrec.data.prompts import Window


@dataclass(frozen=True)
class Lesson:
    """What one adapter learns in one round.

    Attributes:
        windows: the windows to learn from.
        labels: (n,) the labels of all interaction rows that `Window.rows` point into.
        users: (n,) whose each of them is.
        answers: the tokens of No and Yes.
        key: (seed, client, shard, round): the source of all randomness.
        round, rounds: the position of this round (from 0) in the learning-rate schedule.
    """

    windows: Sequence[Window]
    labels: NDArray[np.int8]
    users: NDArray[np.int32]
    answers: tuple[int, int]
    key: tuple[int, str, int, int]
    round: int
    rounds: int

    @property
    def seed(self) -> int:
        return int.from_bytes(hashlib.sha256(repr(self.key).encode()).digest()[:7], "big")

    def digest(self, config: TrainConfig) -> str:
        """SHA-256 of all that decides what a given start becomes: equal digests and starts give equal adapters."""
        said = (self.key, self.round, self.rounds, self.answers, config)
        digest = hashlib.sha256(repr(said).encode())
        for window in self.windows:
            digest.update(window.ids.tobytes() + window.at.tobytes() + self.labels[window.rows].tobytes())
        return digest.hexdigest()
