"""Teachers: frozen adapters over the student's own base, slots of one bank, which answer a batch in one pass together.

They never change, so each answers a window once, without gradients; a student's step then costs what it does in plain
training, in time and in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from fedrec.data.prompts import Window
from fedrec.models.adapter import State
from fedrec.models.adapter_bank import AdapterBank, Routed
from fedrec.training.step import Learning, items_read
from unlearning.approximate.answers import Teacher


class Teachers:
    """The answers of some adapters to the windows of a lesson."""

    def __init__(self, learning: Learning, adapters: Mapping[Teacher, State]) -> None:
        self.learning, self.names = learning, tuple(adapters)
        self._known: dict[int, Tensor] = {}  # by window, which the lesson keeps alive: (T, k, t)
        self._bank: AdapterBank | None = None
        if adapters:
            items = items_read(learning.model, learning.lesson.windows)
            self._bank = AdapterBank(learning.model, learning.lora, width=len(adapters), items=items)
            self._bank.eval()
            for slot, state in enumerate(adapters.values()):
                self._bank.load(slot, state)

    def answers(self, batch: Sequence[Window]) -> dict[Teacher, Tensor]:
        """(k, t) logits by each of the rows that a batch answers, window after window."""
        if self._bank is None:
            return {}
        self._ask([window for window in batch if id(window) not in self._known], self._bank)
        found = torch.cat([self._known[id(window)] for window in batch], 1)
        return dict(zip(self.names, found, strict=True))

    def close(self) -> None:
        if self._bank is not None:
            self._bank.close()

    @torch.no_grad()
    def _ask(self, windows: list[Window], bank: AdapterBank) -> None:
        """One pass, in which each window stands once for every teacher."""
        if not windows:
            return
        slots = torch.arange(len(self.names)).repeat_interleave(len(windows))
        own = self.learning.own_parts(windows)
        if own is not None:  # an adapter that learnt nothing has no share of any answer
            own = torch.cat([own * (name != "initial") for name in self.names])
        logits = self.learning.logits(windows * len(self.names), bank, Routed(slots), own)
        rows = [len(window.rows) for window in windows]
        by_teacher = logits.view(len(self.names), sum(rows), -1)
        for window, answers in zip(windows, by_teacher.split(rows, 1), strict=True):
            self._known[id(window)] = answers
