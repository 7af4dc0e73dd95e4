"""Teachers: frozen adapters over the student's own base, slots of one bank.

On an accelerator they answer a batch in one pass together. A processor is busy with one teacher's batch already, and
matrices of each row cost it a fifth more than a pass a teacher. They never change, so each answers a window once,
without gradients; a student's step then costs what it does in plain training, in time and in memory.
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
        if not windows:
            return
        every, own = range(len(self.names)), self.learning.own_parts(windows)
        mine = [None if own is None else own * (self.names[slot] != "initial") for slot in every]  # it has no share
        if next(bank.parameters()).device.type == "cpu":
            found = [self.learning.logits(windows, bank, Routed(slot), mine[slot]) for slot in every]
        else:
            slots = torch.arange(len(self.names)).repeat_interleave(len(windows))
            together = None if own is None else torch.cat([part for part in mine if part is not None])
            found = [self.learning.logits(windows * len(self.names), bank, Routed(slots), together)]
        rows = [len(window.rows) for window in windows]
        by_teacher = torch.cat(found).view(len(self.names), sum(rows), -1)
        for window, answers in zip(windows, by_teacher.split(rows, 1), strict=True):
            self._known[id(window)] = answers
