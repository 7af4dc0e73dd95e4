"""A client's training, repeated with some of its rows alone: for attacks that have to know who was in.

Every model begins with the adapter that all clients begin with, learns by the run's settings to its last step, with the
run's noise where it has any, and is read as it leaves the client, before any average: all shards' people together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from fedrec.config import RunConfig, TrainConfig
from fedrec.console.progress import bar
from fedrec.data.dataset import HISTORY, TRAIN, Interactions
from fedrec.ensemble.aggregators.judged import Judged
from fedrec.ensemble.served_model import ServedModel
from fedrec.models.adapter import State, to_arrays, to_state
from fedrec.models.base import Base
from fedrec.privacy.accounting import epsilon_of, noise_of, steps_of
from fedrec.privacy.ledger import LEDGER, PrivacyLedger
from fedrec.privacy.protection import protection
from fedrec.privacy_settings import PrivacyConfig
from fedrec.tasks import task_of
from fedrec.tasks.task import Encoder
from fedrec.training.item_start import with_item_rows
from fedrec.training.lesson import Lesson
from fedrec.training.loop import train
from fedrec.training.step import Learning
from fedrec.training.together import train_together
from server.attacks.target import encoder, layers_alone
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
        if config.privacy.at_clients:
            others = max(1, config.federation.rounds // self.rounds)
            return [privately(each, config.privacy, others) for each in learnings]
        found = train_together([with_item_rows(each) for each in learnings])
        stay = config.items.rank and config.items.share == "none"
        return [to_state(layers_alone(to_arrays(each), self.run.initial)) for each in found] if stay else found


def privately(learning: Learning, privacy: PrivacyConfig, rounds: int) -> State:
    """The adapter after a noised training that nothing was spent for, as nobody is given it; items have no rows.

    Args:
        rounds: of so long trainings the run has, by which its noise is chosen.
    """
    from fedrec.training.private_step import Private

    with TemporaryDirectory() as folder:
        guard = protection(
            privacy, PrivacyLedger(Path(folder) / LEDGER), run="attack", shard=0, learning=learning.digest,
            epochs=learning.config.epochs, rounds=rounds,
        )  # fmt: skip
        return train(learning, step=lambda each: Private(each, guard)).state


def stated_epsilon(game: Repeated, delta: float) -> float | None:
    """What such a training of all rounds spends by the accountant; None where it has no noise."""
    privacy = game.config.privacy
    if not privacy.at_clients:
        return None
    steps = steps_of(privacy, _longer(game.config.train, game.rounds).epochs)
    return epsilon_of(
        [(noise_of(privacy, steps), privacy.sample_rate, steps)], privacy.model_copy(update={"delta": delta})
    )


def _longer(train: TrainConfig, rounds: int) -> TrainConfig:
    return train.model_copy(update={"epochs": train.epochs * rounds})
