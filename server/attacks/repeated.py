"""A client's training, repeated with some of its rows alone: for attacks that have to know who was in.

Every model begins with the adapter that all clients begin with, learns by the run's settings to its last step, and is
read as it leaves the client, before any average: all shards' people together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fedrec.config import RunConfig, TrainConfig
from fedrec.console.progress import bar
from fedrec.data.dataset import HISTORY, TRAIN, Interactions
from fedrec.ensemble.aggregators.judged import Judged
from fedrec.ensemble.served_model import ServedModel
from fedrec.models.adapter import State, to_state
from fedrec.models.base import Base
from fedrec.tasks import task_of
from fedrec.tasks.task import Encoder
from fedrec.training.item_start import with_item_rows
from fedrec.training.lesson import Lesson
from fedrec.training.step import Learning
from fedrec.training.together import train_together
from server.attacks.target import encoder
from server.simulated_run import SimulatedRun

_TOGETHER = 4  # models trained in one pass


@dataclass(frozen=True)
class Repeated:
    """One client's training.

    Attributes:
        rounds: passes of `train.epochs` that each model has.
    """

    run: SimulatedRun
    client: str
    rounds: int

    @cached_property
    def rows(self) -> Interactions:
        """What the client learns from, and what stands in histories."""
        rows = self.run.rows_of(self.client)
        return rows.take(np.isin(rows.split, (TRAIN, HISTORY)))

    @property
    def config(self) -> RunConfig:
        return self.run.client(self.client).config

    @property
    def base(self) -> Base:
        return self.run.client(self.client).base

    @cached_property
    def encoder(self) -> Encoder:
        return encoder(self.run)

    def answers(self, rows: Interactions, taught: NDArray[np.bool_], asked: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(K, n) log-likelihood of the asked rows, by a model of each line of `taught`; NaN of others.

        Args:
            taught: (K, n) which rows teach each model; asked: (n,).
        """
        found = []
        with bar(f"models of {self.client}") as tick:
            for low in range(0, len(taught), _TOGETHER):
                states = self._trained(rows, taught[low : low + _TOGETHER], low)
                found += [self.said(state, rows, asked) for state in states]
                tick(len(found), len(taught))
        return np.stack(found)

    def said(self, state: State | None, rows: Interactions, asked: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(n,) log-likelihood of the asked rows by an adapter, or by the base alone; NaN of others."""
        config, adapters = self.config, {} if state is None else {0: state}
        answers = ServedModel(self.base, config, self.encoder.readout, adapters, Judged.nobody(config.shards))
        try:
            scores = answers.scores(self.encoder.windows(rows, asked), len(rows))
        finally:
            answers.close()
        task = task_of(config)
        likelihood = np.full(len(rows), np.nan)
        likelihood[asked] = task.log_likelihood(scores[asked], task.labels(rows)[asked])
        return likelihood

    def _trained(self, rows: Interactions, taught: NDArray[np.bool_], first: int) -> list[State]:
        config = self.config
        labels, start = task_of(config).labels(rows), to_state(self.run.initial)
        settings = _longer(config.train, self.rounds)
        learnings: Sequence[Learning] = [
            Learning(
                self.base.model,
                config.lora,
                start,
                Lesson(
                    self.encoder.windows(rows, each), labels, rows.user, self.encoder.readout,
                    (config.seed, f"attack-{self.client}", first + k, 0), 0, 1,
                ),
                settings,
            )
            for k, each in enumerate(taught)
        ]  # fmt: skip
        return train_together([with_item_rows(each) for each in learnings])


def _longer(train: TrainConfig, rounds: int) -> TrainConfig:
    return train.model_copy(update={"epochs": train.epochs * rounds})
