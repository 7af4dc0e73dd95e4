"""The approximate unlearning of a shard, as work of a crew: teachers first, then the one trainer."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

import torch

from fedrec.config import TrainConfig
from fedrec.models.adapter import State, state_hash
from fedrec.training.loop import Outcome, train
from fedrec.training.step import Learning
from unlearning.approximate.answers import Teacher
from unlearning.approximate.approach import Approach
from unlearning.approximate.lesson import Forgetting, forgetting, some_of
from unlearning.approximate.step import ForgettingStep
from unlearning.approximate.stopping import ForgettingStopping
from unlearning.approximate.subtraction import learnt_alone, subtracted
from unlearning.shards.training import Forgotten, ShardTraining, Trained


@dataclass(frozen=True)
class Unlearning:
    """What brings a trained shard to where it does not know some rows any more.

    Attributes:
        training: of it from the retained rows alone.
        forgotten: its adapter, and the rows.
    """

    approach: Approach
    training: ShardTraining
    forgotten: Forgotten

    @property
    def shard(self) -> int:
        return self.training.shard

    @property
    def key(self) -> Hashable:
        gone = self.forgotten.lesson.digest(self.training.settings)
        return repr(self.approach), self.training.key, state_hash(self.forgotten.adapter), gone

    def run(self, model: torch.nn.Module, on_step: Callable[[int, int], None]) -> Trained:
        """What teachers and the start learn counts: rows, steps, and seconds."""
        approach, settings = self.approach, self.training.settings
        pace, reset = at_pace(settings, approach.pace), approach.item_rows == "reset"
        learning = forgetting(model, self.training, self.forgotten, pace, reset)
        known: dict[Teacher, State] = {"original": learning.original, "initial": learning.initial}
        done, began = [], time.perf_counter()
        if "augmented" in approach.teachers:
            done.append(augmented(learning, settings, approach))
            known["augmented"] = done[-1].state
        if approach.start == "subtracted":
            done.append(learnt_alone(learning))
            learning = replace(learning, start=subtracted(learning, done[-1].state, approach.share))
        seconds = time.perf_counter() - began if done else 0.0
        adapters = {name: known[name] for name in approach.teachers}
        outcome = train(
            learning,
            step=lambda _: ForgettingStep(learning, approach, adapters),
            stopping=lambda _: ForgettingStopping(learning),
            on_step=on_step,
        )
        done.append(outcome)
        return Trained(
            self.shard,
            first=0,
            states=(outcome.state,),
            rows=sum(each.rows for each in done),
            steps=sum(each.steps for each in done),
            exact=False,
            seconds_teachers=seconds,
        )


def augmented(learning: Forgetting, settings: TrainConfig, approach: Approach) -> Outcome:
    """The original, trained further on the rows to be forgotten alone; of less than a pass, on that part of them."""
    windows = learning.forgotten
    lesson = some_of(learning.lesson, windows, max(1, round(min(approach.augmenting, 1.0) * len(windows))))
    passes = max(1, round(approach.augmenting))
    config = at_pace(settings, approach.augmenting_pace).model_copy(update={"epochs": passes, "stop": "never"})
    return train(Learning(learning.model, learning.lora, learning.original, lesson, config, own=learning.own))


def at_pace(settings: TrainConfig, pace: float) -> TrainConfig:
    """The settings with learning rates that many times as high, from the first step on: there may be few of them."""
    return settings.model_copy(update={"lr": settings.lr * pace, "item_lr": settings.item_lr * pace, "warmup": 0})
