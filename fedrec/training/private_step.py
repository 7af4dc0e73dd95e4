"""The private step (DP-SGD, Abadi et al. 2016): every person's gradient clipped by itself, and noise added to the sum.

    g = 1 / (q N)  ( sum over sampled i of  g_i min(1, C / |g_i|)  +  N(0, (sigma C)^2) )

A bank gives every person's gradient: all its slots are one adapter, each sampled person's windows go through a slot of
their own, and what reaches slot i is g_i, of the mean loss of that person's rows. Clipping, noise and the optimiser's
step are Opacus'; who is in a step is drawn by a chance q of each person's own. A person is what `privacy.unit` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from fedrec.data.prompts import Window
from fedrec.models.adapter import State
from fedrec.privacy.noise_source import generator_of, sampled
from fedrec.privacy.protection import Protection
from fedrec.training.person_slots import PersonSlots, Unit, by_person, units_of
from fedrec.training.proximal import add_pull
from fedrec.training.step import Learning, Step


class Private(Step):
    """One adapter, in whose item rows nothing is learnt."""

    def __init__(self, learning: Learning, protection: Protection) -> None:
        from opacus.optimizers import DPOptimizer  # takes seconds

        super().__init__(learning)
        self.protection, self.done = protection, 0
        privacy, config = protection.privacy, learning.config
        self.units = units_of(learning, by_row=privacy.unit == "row")
        self.slots = PersonSlots(learning, min(privacy.at_once, len(self.units)))
        self.parameters, self._anchors = self.slots.parameters, list[Tensor]()
        if learning.pull:
            self.slots.bank.load(0, learning.anchor or learning.start)
            self._anchors = [parameter.detach().clone() for parameter in self.parameters]
            self.slots.bank.load(0, learning.start)
        inner = torch.optim.AdamW(self.parameters, lr=config.lr, weight_decay=config.weight_decay, fused=True)
        self.optimiser = DPOptimizer(
            inner,
            noise_multiplier=protection.noise,
            max_grad_norm=privacy.clip,
            expected_batch_size=privacy.sample_rate * len(self.units),
            secure_mode=True,  # noise that floating point numbers do not give away
        )
        self.optimiser.attach_step_hook(lambda _: add_pull(self.parameters, self._anchors, learning.pull))

    @property
    def steps(self) -> int:
        return self.protection.steps

    def batches(self) -> Iterator[list[Window]]:
        for step in range(1, min(self.steps, self.protection.allowed) + 1):
            key = self.protection.key_of(step, "sample")
            chosen = sampled(key, len(self.units), self.protection.privacy.sample_rate)
            yield [window for index in chosen for window in self.units[index]]

    def take(self, batch: list[Window], rate: float) -> tuple[float, int]:
        """As `Step.take`, by the next step of the ledger, which has it before its noise is drawn."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        units, width, total = self._units(batch), self.slots.bank.width, 0.0
        for low in range(0, len(units), width):
            total += self._accumulate(units[low : low + width], last=low + width >= len(units))
        if not units:
            self._hand_over([parameter.new_zeros(0, *parameter.shape) for parameter in self.parameters], last=True)
        return total, sum(len(window.rows) for window in batch)

    def _accumulate(self, units: Sequence[Unit], last: bool) -> float:
        """The sum of the losses of the rows of a few, whose clipped gradients are added to the step's; the `last` of
        them take it."""
        told = self.slots.gradients(units)
        self._hand_over([each[: len(units)] for each in told.each], last)
        return told.loss

    def _hand_over(self, gradients: Sequence[Tensor], last: bool) -> None:
        for parameter, each in zip(self.parameters, gradients, strict=True):
            parameter.grad_sample = each  # type: ignore[attr-defined]  # as Opacus has it
        if last:
            self.done += 1
            self.protection.spend(self.done)
            key = self.protection.key_of(self.done, "noise")
            self.optimiser.generator = generator_of(key, self.parameters[0].device)
        self.optimiser.signal_skip_step(do_skip=not last)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)

    def _units(self, batch: Sequence[Window]) -> list[Unit]:
        """The batch as it was drawn."""
        if self.protection.privacy.unit == "row":
            return [[window] for window in batch]
        return by_person(batch, self.learning)

    def state(self) -> State:
        return self.slots.bank.state(0)

    def content(self) -> dict[str, Any]:
        return {
            "parameters": [parameter.detach() for parameter in self.parameters],
            "optimiser": self.optimiser.state_dict(),
            "done": self.done,
        }

    def restore(self, content: dict[str, Any]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self.parameters, content["parameters"], strict=True):
                parameter.copy_(value)
        self.optimiser.load_state_dict(content["optimiser"])
        self.done = content["done"]

    def close(self) -> None:
        self.slots.bank.close()
