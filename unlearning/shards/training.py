"""What a shard learns, slice after slice, and the training of it: from (seed, shard, rows) alone.

Slice r goes on from the adapter after slice r - 1 and learns from the rows of slices 0 to r (SISA, Bourtoule et al.
2021, section IV). With R slices each takes floor(2 E / (R + 1)) passes, at least one, so that all of them together cost
about what E passes over the shard cost (algorithms.md 4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from fedrec.config import LoraConfig, RunConfig, TrainConfig
from fedrec.data.dataset import HISTORY, TEST, TRAIN, VALID, Interactions
from fedrec.models.adapter import State
from fedrec.tasks import task_of
from fedrec.tasks.task import Encoder
from fedrec.training.item_start import with_item_rows
from fedrec.training.lesson import Lesson, Validation
from fedrec.training.loop import train
from fedrec.training.step import Learning
from unlearning.shards.assignment import ShardAssignment
from unlearning.shards.files import ABOUT


@dataclass(frozen=True)
class Job:
    """A shard and what it learns in each of its slices.

    Attributes:
        digests: SHA-256 of all that decides the adapter after each slice: equal digests, equal adapters.
    """

    shard: int
    lessons: tuple[Lesson, ...]
    digests: tuple[str, ...]

    @property
    def windows(self) -> int:
        return sum(len(lesson.windows) for lesson in self.lessons)

    def told(self, trained: Trained) -> tuple[str, ...]:
        """The digests to keep with what came of it."""
        return self.digests if trained.exact else tuple(f"{ABOUT}{digest}" for digest in self.digests)


@dataclass(frozen=True)
class Trained:
    """What came of a training: the adapter after each of its slices, from slice `first` on; rows processed and steps.

    Attributes:
        exact: they are what training on the rows that are left gives.
        seconds_teachers: that the training of teachers took, of an approximate method that has some.
    """

    shard: int
    first: int
    states: tuple[State, ...]
    rows: int
    steps: int
    exact: bool = True
    seconds_teachers: float = 0.0


@dataclass(frozen=True)
class Forgotten:
    """What a trained shard is to forget: its adapter, and the lesson of the rows that go."""

    adapter: State
    lesson: Lesson

    def numbered(self, before: Sequence[str], now: Sequence[str]) -> Forgotten:
        """The same among rows whose people (ids) are numbered anew: who is still there has the new number, others one
        behind those."""
        new = {user: number for number, user in enumerate(now)}
        numbers = np.array([new.get(user, len(now) + old) for old, user in enumerate(before)], np.int32)
        return replace(self, lesson=replace(self.lesson, users=numbers[self.lesson.users]))


def make_jobs(
    interactions: Interactions,
    assignment: ShardAssignment,
    encoder: Encoder,
    shards: Sequence[int],
    slices: int,
    config: RunConfig,
    origin: str,
) -> list[Job]:
    """The jobs of some shards.

    Args:
        origin: what stands for the base model and the initial adapter in the digests.
    """
    seen = (interactions.split == TRAIN) | (interactions.split == HISTORY)
    rows, where = interactions.take(seen), assignment.take(seen)
    kept = interactions.split != TEST
    known, validating = interactions.take(kept), assignment.stopped_by(interactions, config.train).take(kept)
    task, settings = task_of(config), slice_settings(config.train, slices)
    labels, all_labels = task.labels(rows), task.labels(known)
    jobs = []
    for shard in shards:
        lessons, digests, before = [], [], origin
        for upto in range(slices):
            windows, draw = encoder.windows(rows, where.learned(shard, upto)), (config.seed, "shard", shard, upto)
            asked = encoder.windows(known, validating.learned(shard, upto) & (known.split == VALID))
            validation = Validation(asked, all_labels)
            lesson = Lesson(
                windows, labels, rows.user, encoder.readout, draw, upto, slices, validation, shards=config.shards
            )
            before = hashlib.sha256(f"{before} {lesson.digest(settings)}".encode()).hexdigest()
            lessons.append(lesson)
            digests.append(before)
        jobs.append(Job(shard, tuple(lessons), tuple(digests)))
    return jobs


def slice_settings(train: TrainConfig, slices: int) -> TrainConfig:
    """The training of one slice."""
    return train.model_copy(update={"epochs": max(1, 2 * train.epochs // (slices + 1))})


@dataclass(frozen=True)
class ShardTraining:
    """The part of a job that is still to do: from slice `first`, starting with the adapter before it.

    Attributes:
        settings: of one slice.
    """

    job: Job
    first: int
    start: State
    lora: LoraConfig
    settings: TrainConfig

    @property
    def shard(self) -> int:
        return self.job.shard

    @property
    def key(self) -> Hashable:
        return self.job.digests, self.first

    def run(self, model: torch.nn.Module, on_step: Callable[[int, int], None]) -> Trained:
        """Train. `on_step` is called with (steps done, steps) of each slice."""
        state, outcomes = self.start, []
        for lesson in self.job.lessons[self.first :]:
            outcomes.append(
                train(with_item_rows(Learning(model, self.lora, state, lesson, self.settings)), on_step=on_step)
            )
            state = outcomes[-1].state
        return Trained(
            self.shard,
            self.first,
            states=tuple(outcome.state for outcome in outcomes),
            rows=sum(outcome.rows for outcome in outcomes),
            steps=sum(outcome.steps for outcome in outcomes),
        )
