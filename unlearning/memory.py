"""Shards that several methods have in common are trained once: equal digests, equal adapters (`Job.digests`)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from fedrec.config import LoraConfig, TrainConfig
from fedrec.models.base import Base
from unlearning.jobs import Assignment, Trained
from unlearning.pool import OnStep, Trainer


class Memory:
    """A trainer that remembers what came of each call."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self._spared = 0.0
        self._kept: dict[tuple[tuple[tuple[str, ...], int], ...], tuple[tuple[Trained, ...], float]] = {}

    def train(
        self, base: Base, lora: LoraConfig, settings: TrainConfig, assignments: Sequence[Assignment], on_step: OnStep
    ) -> Iterator[Trained]:
        """As `Pool.train`; a call that was answered before costs nothing."""
        asked = tuple((each.job.digests, each.first) for each in assignments)
        if asked in self._kept:
            done, seconds = self._kept[asked]
            self._spared += seconds
            yield from done
            return
        began, fresh = time.perf_counter(), []
        for trained in self.trainer.train(base, lora, settings, assignments, on_step):
            fresh.append(trained)
            yield trained
        self._kept[asked] = tuple(fresh), time.perf_counter() - began

    def spared(self) -> float:
        """Seconds that what was answered from memory, since this was last asked, had taken the first time."""
        seconds, self._spared = self._spared, 0.0
        return seconds
