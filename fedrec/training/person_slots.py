"""Every person's own gradient, by a bank whose slots are all one adapter: slot i's gradient is that of its person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import torch
from torch import Tensor, nn

from fedrec.data.prompts import Window
from fedrec.models.adapter_bank import AdapterBank, Routed
from fedrec.training.step import Learning

Unit = list[Window]
"""The windows of one person, or the one of a row."""
_TOKENS = 4096  # in one pass, unless a single window is longer


@dataclass(frozen=True)
class Gradients:
    """Of K slots: a tensor (K, ...) for each parameter, those of slots without a person zero; and the sum of the losses
    (nats) of all the rows."""

    each: list[Tensor]
    loss: float


class PersonSlots:
    """A bank of slots that are one adapter.

    Attributes:
        parameters: the adapter, which all slots follow; without item rows, which are zero here.
    """

    def __init__(self, learning: Learning, width: int) -> None:
        self.learning = learning
        nothing = torch.zeros(0, dtype=torch.int64)
        self.bank = AdapterBank(learning.model, learning.lora, width=width, items=nothing)
        self.bank.load(0, learning.start)
        self.bank.train()
        self.parameters: list[nn.Parameter] = []
        self._slots: list[Tensor] = []
        for _, stack in self.bank.named_layers():
            for part in ("A", "B"):
                own = nn.Parameter(getattr(stack, part).detach()[0].clone())
                slots = own.detach().expand(width, *own.shape).requires_grad_()  # the same memory, seen K times
                del stack._parameters[part]
                setattr(stack, part, slots)
                self.parameters.append(own)
                self._slots.append(slots)

    def gradients(self, units: Sequence[Unit]) -> Gradients:
        """The gradient of the mean loss of each one's rows, of at most as many as there are slots."""
        for each in self._slots:
            each.grad = None
        total = 0.0
        for part in _passes(units):
            total += self._add(units, part)
        found = [torch.zeros_like(each) if each.grad is None else each.grad for each in self._slots]
        return Gradients(found, total)

    def _add(self, units: Sequence[Unit], part: Sequence[tuple[int, Window]]) -> float:
        """Add the gradients of some windows, each with its slot; the sum of the losses of their rows."""
        windows = [window for _, window in part]
        rows = [sum(len(window.rows) for window in unit) for unit in units]
        weight = torch.tensor([1 / rows[slot] for slot, window in part for _ in window.rows])
        routing = Routed(torch.tensor([slot for slot, _ in part]))
        losses = self.learning.loss(windows, self.bank, routing, each=True)
        (losses * weight.to(losses)).sum().backward()
        return float(losses.detach().double().sum())


def units_of(learning: Learning, by_row: bool) -> list[Unit]:
    """All whom an adapter learns from: the windows of each person, or one of each row, behind its past."""
    windows = learning.lesson.windows
    return [[row] for window in windows for row in _rows_of(window)] if by_row else by_person(windows, learning)


def by_person(windows: Sequence[Window], learning: Learning) -> list[Unit]:
    """Windows that stand person by person, as such."""
    users = learning.lesson.users
    return [list(unit) for _, unit in groupby(windows, key=lambda window: int(users[window.rows[0]]))]


def _rows_of(window: Window) -> list[Window]:
    """A window for each answer in it, which ends there."""
    asked = zip(window.at, window.rows, strict=True)
    return [replace(window, ids=window.ids[: at + 1], at=np.array([at]), rows=np.array([row])) for at, row in asked]


def _passes(units: Sequence[Unit]) -> list[list[tuple[int, Window]]]:
    """All windows, each with its slot, the longest first, in passes of bounded size with their padding."""
    found: list[list[tuple[int, Window]]] = []
    longest = 0
    every = [(slot, window) for slot, unit in enumerate(units) for window in unit]
    for each in sorted(every, key=lambda each: -len(each[1].ids)):
        if found and longest * (len(found[-1]) + 1) <= _TOKENS:
            found[-1].append(each)
        else:
            found.append([each])
            longest = len(each[1].ids)
    return found
