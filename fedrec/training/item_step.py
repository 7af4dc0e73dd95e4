"""How item rows move: down the gradient of the sum of the losses, and towards zero, where their prior has its mode.

There is no state of them: an adaptive optimiser goes as far by the one gradient of a rare title as by many.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from fedrec.config import TrainConfig
from fedrec.models.adapter_bank import AdapterBank
from fedrec.training.lesson import Lesson

_FARTHEST = 1.0  # gradient of a row in one step


def prior_of(config: TrainConfig, lesson: Lesson) -> float:
    """Precision of the rows' prior: each of those that are averaged has a part of it."""
    return config.item_prior / (lesson.clients * lesson.shards)


def hold_rows(bank: AdapterBank, config: TrainConfig) -> None:
    """Where rows stay as they begin, no gradient is computed of them."""
    if bank.items is not None:
        bank.items.A.requires_grad_(config.item_lr > 0)


def shrink_of(config: TrainConfig, lesson: Lesson, steps: int) -> float:
    """The part of the prior's precision that each of so many steps takes."""
    return prior_of(config, lesson) * config.epochs / steps


@torch.no_grad()
def move_rows(
    bank: AdapterBank, config: TrainConfig, rate: float, answers: Sequence[int], shrink: Sequence[float]
) -> None:
    """One step of a bank of K adapters, whose gradients are of the means of the losses.

    Args:
        rate: the layers' learning rate; the rows' is in proportion.
        answers: (K,) rows of each mean; shrink: (K,) `shrink_of` each.
    """
    if bank.items is None or (gradient := bank.items.A.grad) is None:
        return
    rows, pace = bank.items.A, config.item_lr * rate / config.lr
    for k, (count, prior) in enumerate(zip(answers, shrink, strict=True)):
        rows[k].mul_(max(0.0, 1 - pace * prior))
        rows[k].sub_(torch.renorm(gradient[k] * count, 2, 0, _FARTHEST), alpha=pace)
    rows.grad = None
