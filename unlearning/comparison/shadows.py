"""Shadow models for a likelihood-ratio attack on what a deletion left: `fedrec.privacy.attacks.lira`.

Each learns from all rows that stay, and from half of what is told apart: the deleted rows of a person, and their test
rows, which no model learns from otherwise, each as one. All are trained together, as one routed bank.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fedrec.config import LoraConfig, RunConfig, TrainConfig
from fedrec.data.dataset import TRAIN, Interactions
from fedrec.models.adapter import State, initial_state
from fedrec.privacy.attacks.lira import halves
from fedrec.tasks import task_of
from fedrec.tasks.task import Encoder
from fedrec.training.item_start import with_item_rows
from fedrec.training.lesson import Lesson
from fedrec.training.step import Learning
from fedrec.training.together import train_together


@dataclass(frozen=True)
class Shadows:
    """The training of shadow models, as work of a crew.

    Attributes:
        seeds: of their initial adapters.
    """

    lessons: tuple[Lesson, ...]
    seeds: tuple[int, ...]
    lora: LoraConfig
    settings: TrainConfig
    shard: int = 0

    @property
    def key(self) -> Hashable:
        return "shadows", tuple(lesson.digest(self.settings) for lesson in self.lessons), self.seeds

    def run(self, model: torch.nn.Module, on_step: Callable[[int, int], None]) -> list[State]:
        starts = [initial_state(model, self.lora, seed) for seed in self.seeds]
        told = zip(starts, self.lessons, strict=True)
        learnings = [Learning(model, self.lora, start, lesson, self.settings) for start, lesson in told]
        return train_together([with_item_rows(each) for each in learnings])


def shadows_of(
    rows: Interactions,
    deleted: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    encoder: Encoder,
    config: RunConfig,
    count: int,
) -> tuple[Shadows, NDArray[np.bool_]]:
    """The training of so many shadow models, and (count, n) which rows of the table teach each of them.

    Args:
        deleted: (n,) all rows that are deleted, and those among them and the test rows that are told apart.
    """
    gone, apart = deleted
    units = np.unique(np.stack([rows.user[apart], rows.split[apart] == TRAIN]), axis=1, return_inverse=True)[1].ravel()
    inside = np.repeat(((rows.split == TRAIN) & ~gone)[None], count, axis=0)
    inside[:, apart] = halves(int(units.max()) + 1, count, config.seed)[:, units]
    labels = task_of(config).labels(rows)
    lessons = tuple(
        Lesson(encoder.windows(rows, taught), labels, rows.user, encoder.readout, (config.seed, "shadow", k, 0), 0, 1)
        for k, taught in enumerate(inside)
    )
    seeds = tuple(config.seed + 1000 * (1 + k) for k in range(count))
    return Shadows(lessons, seeds, config.lora, config.train), inside
