"""The plain step: AdamW on the mean loss of a batch's rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from fedrec.data.prompts import Window
from fedrec.models.adapter import State
from fedrec.models.adapter_bank import AdapterBank, Routed
from fedrec.training.batches import batches
from fedrec.training.item_step import hold_rows, move_rows, shrink_of
from fedrec.training.proximal import add_pull
from fedrec.training.step import Learning, Step


class Plain(Step):
    """One adapter, which learns from batches of windows of similar length."""

    def __init__(self, learning: Learning) -> None:
        super().__init__(learning)
        self.bank = AdapterBank(learning.model, learning.lora, items=learning.items)
        hold_rows(self.bank, learning.config)
        self.parameters = [parameter for parameter in self.bank.parameters() if parameter.requires_grad]
        self._anchors: list[Tensor] = []
        if learning.pull:
            self.bank.load(0, learning.anchor or learning.start)
            self._anchors = [parameter.detach().clone() for parameter in self.parameters]
        self.bank.load(0, learning.start)
        self.bank.train()
        config, self.layers = learning.config, self.bank.layer_parameters()
        self.optimiser = torch.optim.AdamW(self.layers, lr=config.lr, weight_decay=config.weight_decay, fused=True)

    @property
    def steps(self) -> int:
        config = self.learning.config
        return math.ceil(len(self.learning.lesson.windows) / config.batch) * config.epochs

    @property
    def shrink(self) -> float:
        """The part of the precision of item rows' prior that each step takes."""
        return shrink_of(self.learning.config, self.learning.lesson, self.steps)

    def batches(self) -> Iterator[list[Window]]:
        return batches(self.learning.lesson, self.learning.config)

    def take(self, batch: list[Window], rate: float) -> tuple[float, int]:
        config = self.learning.config
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        told = self.backward(batch)
        add_pull(self.parameters, self._anchors, self.learning.pull)
        move_rows(self.bank, config, rate, [told[1]], [self.shrink])
        self.clip_and_step(rate)
        self.optimiser.zero_grad(set_to_none=True)
        return told

    def backward(self, batch: list[Window]) -> tuple[float, int]:
        """Add the gradients of the mean loss of a batch's rows to the parameters'; the sum, and the number of rows."""
        mean, rows = self.learning.loss(batch, self.bank, Routed(0)), sum(len(window.rows) for window in batch)
        mean.backward()
        return mean.item() * rows, rows

    def clip_and_step(self, rate: float) -> None:
        """Move the layers by their gradients, no longer than they may be, at the rate that the optimiser has."""
        torch.nn.utils.clip_grad_norm_(self.layers, self.learning.config.clip)
        self.optimiser.step()

    def state(self) -> State:
        return self.bank.state(0)

    def content(self) -> dict[str, Any]:
        return {
            "parameters": [parameter.detach() for parameter in self.parameters],
            "optimiser": self.optimiser.state_dict(),
        }

    def restore(self, content: dict[str, Any]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self.parameters, content["parameters"], strict=True):
                parameter.copy_(value)
        self.optimiser.load_state_dict(content["optimiser"])

    def close(self) -> None:
        self.bank.close()
