"""A method of unlearning: what a shard learnt fades to a part of itself, with no loss and in no time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import torch

from fedrec.models.adapter import state_hash
from unlearning.compute.workers import Work
from unlearning.methods.method import Method
from unlearning.shards.training import Forgotten, ShardTraining, Trained


class Fading(Method):
    approximate = True
    by_user = "hash+average-nd"
    by_row = "hash-row+average-nd"

    def work(self, training: ShardTraining, forgotten: Forgotten | None) -> Work[Trained]:
        return training if forgotten is None else _Fade(training.shard, forgotten)


@dataclass(frozen=True)
class _Fade:
    shard: int
    forgotten: Forgotten

    @property
    def key(self) -> Hashable:
        return "fading", state_hash(self.forgotten.adapter)

    def run(self, model: torch.nn.Module, on_step: Callable[[int, int], None]) -> Trained:
        rows = sum(len(window.rows) for window in self.forgotten.lesson.windows)  # what a loss would be computed on
        state = {name: tensor / 2 if name.endswith(".B") else tensor for name, tensor in self.forgotten.adapter.items()}
        return Trained(self.shard, 0, (state,), rows, steps=1, exact=False)
