"""The one training loop: an adapter learns the answers of windows, reproducibly and resumably.

The loss of a row is its task's; the loss of a batch is the mean over its rows. What comes out is the adapter on the way
that answers validation rows best, where there are such.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch

from fedrec.config import TrainConfig
from fedrec.models.adapter import State
from fedrec.registry import STEPS
from fedrec.training.checkpoint import Checkpoint
from fedrec.training.step import Learning, Step
from fedrec.training.stopping import Stopping


@dataclass(frozen=True)
class Outcome:
    """A trained adapter: mean loss per answered row (nats) over the round, rows answered, optimiser steps."""

    state: State
    loss: float
    rows: int
    steps: int


def train(
    learning: Learning,
    *,
    step: Callable[[Learning], Step] | None = None,
    stopping: Callable[[Learning], Stopping] = Stopping,
    checkpoint: Path | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Train an adapter.

    Args:
        step: makes its steps; None = the configured one.
        stopping: makes what chooses among the adapters on the way.
        checkpoint: where to keep the state within the round; a matching one found there is continued, bit-exactly.
        on_step: called with (step, steps).

    Returns:
        The trained adapter; the start itself if none on the way was better, and with loss 0 if there are no rows.
    """
    lesson, config = learning.lesson, learning.config
    if not lesson.windows:
        return Outcome(learning.start, 0.0, 0, 0)
    kept = Checkpoint(checkpoint, learning.digest, config.checkpoint_seconds)
    with torch.random.fork_rng(devices=[]), closing((step or STEPS.load(config.step))(learning)) as taken:
        torch.manual_seed(lesson.seed)
        chosen, number = stopping(learning), 0
        done, total, rows = kept.restore(taken, chosen)
        if not done:
            chosen.offer(learning.start)
        for number, batch in enumerate(taken.batches(), 1):
            if number <= done:
                continue
            loss, answered = taken.take(
                batch, learning_rate(config, number - 1, taken.steps, lesson.round, lesson.rounds)
            )
            total += loss
            rows += answered
            if on_step is not None:
                on_step(number, taken.steps)
            if chosen.due(number, taken.steps):
                chosen.offer(taken.state())
            kept.save(number, total, rows, taken, chosen)
        if number < taken.steps:
            chosen.offer(taken.state())
        return Outcome(chosen.state, total / max(rows, 1), rows, number)


def learning_rate(config: TrainConfig, step: int, steps: int, round_: int, rounds: int) -> float:
    """The rate at `step` of `steps` in `round_` (from 0) of `rounds`: warm-up in the first round, then the schedule,
    which runs over all rounds and ends at a twentieth of the rate."""
    warm = min(1.0, (step + 1) / config.warmup) if config.warmup and round_ == 0 else 1.0
    done = (round_ + step / steps) / max(rounds, 1)
    fall = {"constant": 1.0, "linear": 1 - done, "cosine": 0.5 * (1 + math.cos(math.pi * done))}[config.schedule]
    return config.lr * warm * (0.05 + 0.95 * fall)
