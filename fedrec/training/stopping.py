"""Early stopping: of the adapters on the way of a training, the one that answers validation rows best.

The start is one of them, so no training can be worse than none on those rows. They are of the people who are learnt
from: influence like any other, made again with the adapter. Without them the last adapter is the one.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch

from fedrec.models.adapter import State
from fedrec.models.adapter_bank import AdapterBank, Routed
from fedrec.scoring import by_length
from fedrec.training.step import Learning

_A_PASS = 2  # looks


class Stopping:
    """The best adapter so far.

    Attributes:
        state: that adapter.
        loss: of the validation rows by it, their mean in nats.
    """

    def __init__(self, learning: Learning) -> None:
        lesson, config = learning.lesson, learning.config
        self.looks = _A_PASS * config.epochs if config.stop == "validation" and lesson.validation.windows else 0
        self.exam = replace(
            learning,
            own=None,
            lesson=replace(lesson, windows=lesson.validation.windows, labels=lesson.validation.labels),
        )
        self.state, self.loss = learning.start, math.inf

    def due(self, step: int, steps: int) -> bool:
        """Whether the adapter after `step` of `steps` is looked at: twice a pass, and the last one."""
        return step == steps or self.looks * step // steps > self.looks * (step - 1) // steps

    def offer(self, state: State) -> None:
        """An adapter on the way, later than those before."""
        if not self.looks:
            self.state = state
        elif (loss := self.judge(state)) < self.loss:
            self.state, self.loss = state, loss

    def content(self) -> dict[str, Any]:
        return {"state": self.state, "loss": self.loss}

    def restore(self, content: dict[str, Any]) -> None:
        self.state, self.loss = content["state"], content["loss"]

    def judge(self, state: State) -> float:
        """What is to be small of an adapter: here the mean loss of the validation rows."""
        return mean_loss(self.exam, state)


@torch.no_grad()
def mean_loss(exam: Learning, state: State) -> float:
    """The mean loss (nats) of the rows that a lesson's windows answer, by an adapter."""
    total, rows, windows = 0.0, 0, exam.lesson.windows
    with AdapterBank(exam.model, exam.lora, items=exam.items) as bank:
        bank.eval()
        bank.load(0, state)
        for chosen in by_length(windows):
            each = exam.loss([windows[i] for i in chosen], bank, Routed(0), each=True)
            total += each.double().sum().item()
            rows += len(each)
    return total / rows
