"""What one adapter learns in one round. Everything random follows from its key (seed, client, shard, round)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.config import TrainConfig
from fedrec.data.prompts import Window
from fedrec.tasks.task import Readout


@dataclass(frozen=True)
class Validation:
    """Rows that tell when an adapter was best (`fedrec.training.stopping`), of the people who are learnt from.

    Attributes:
        windows: that ask about them.
        labels: of all rows that `Window.rows` point into.
    """

    windows: Sequence[Window] = ()
    labels: NDArray[Any] = field(default_factory=lambda: np.zeros(0, np.int8))


@dataclass(frozen=True)
class Lesson:
    """What one adapter learns in one round.

    Attributes:
        windows: the windows to learn from.
        labels: (n,) the right answers, as `Task.labels` gives them, of all rows that `Window.rows` point into.
        users: (n,) whose each of them is.
        readout: how answers are read, and their loss.
        key: (seed, client, shard, round): the source of all randomness.
        round, rounds: the position of this round (from 0) in the learning-rate schedule.
        validation: what chooses among the adapters on the way; without it the last one is taken.
        clients: how many adapters, this one among them, are averaged after the round.
        shards: how many averages of such answer together.
    """

    windows: Sequence[Window]
    labels: NDArray[Any]
    users: NDArray[np.int32]
    readout: Readout
    key: tuple[int, str, int, int]
    round: int
    rounds: int
    validation: Validation = Validation()
    clients: int = 1
    shards: int = 1

    @property
    def seed(self) -> int:
        return int.from_bytes(hashlib.sha256(repr(self.key).encode()).digest()[:7], "big")

    def digest(self, config: TrainConfig) -> str:
        """SHA-256 of all that decides what a given start becomes: equal digests and starts give equal adapters."""
        said = (self.key, self.round, self.rounds, self.readout, config, self.clients, self.shards)
        digest = hashlib.sha256(repr(said).encode())
        asked = np.concatenate([window.rows for window in self.windows]) if self.windows else np.zeros(0, np.intp)
        _, first, person = np.unique(self.users[asked], return_index=True, return_inverse=True)
        digest.update(first[person].tobytes())  # who is one person, whatever they are numbered
        for part in (self, self.validation):
            digest.update(len(part.windows).to_bytes(8, "big"))
            for window in part.windows:
                digest.update(window.ids.tobytes() + window.at.tobytes() + part.labels[window.rows].tobytes())
        return digest.hexdigest()
