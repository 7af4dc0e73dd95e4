"""What a step of training is: it chooses batches, and changes an adapter by each; the loop does the rest."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedrec.config import LoraConfig, TrainConfig
from fedrec.data.prompts import Window
from fedrec.hardware import autocast
from fedrec.models.adapter import State
from fedrec.models.adapter_bank import AdapterBank, Routing
from fedrec.models.body import hidden_states
from fedrec.models.head import answer_logits
from fedrec.models.item_tokens import item_tokens
from fedrec.models.padding import answer_positions, pad
from fedrec.training.lesson import Lesson

LEFT_OUT = 0.5
"""Of what an answer has taught of its title, where it is asked. Left in, layers learn to believe titles that were told
the answer; left out whole, what is missing tells it, too, and they learn to doubt them all."""


@dataclass(frozen=True)
class Learning:
    """An adapter and what it is to learn.

    Attributes:
        model: the frozen base.
        start: the adapter to begin with.
        pull: weight mu of the proximal term mu/2 |theta - anchor|^2 (FedProx, Li et al. 2020).
        anchor: the adapter it pulls towards; none = `start`.
        own: (n,) what each row's own answer has taught of its title; `LEFT_OUT` of it is, where the title is read;
            none = nothing.
    """

    model: torch.nn.Module
    lora: LoraConfig
    start: State
    lesson: Lesson
    config: TrainConfig
    pull: float = 0.0
    anchor: State | None = None
    own: NDArray[np.float32] | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of all of it but the model: what a checkpoint goes on with."""
        digest = hashlib.sha256(f"{self.lesson.digest(self.config)} {self.pull}".encode())
        digest.update(b"" if self.own is None else self.own.tobytes())
        for state in (self.start, self.anchor or {}):
            for name in sorted(state):
                digest.update(state[name].numpy().tobytes())
        return digest.hexdigest()

    @property
    def items(self) -> Tensor | None:
        """(m,) the items that the lesson reads, rising; None where the base has no tokens for items.

        A bank of theirs alone, and an optimiser's state of it, grows with the lesson and not with the catalogue.
        """
        return items_read(self.model, self.lesson.windows)

    def loss(self, batch: list[Window], bank: AdapterBank, routing: Routing, each: bool = False) -> Tensor:
        """Mean loss of the rows that a batch answers by adapters of a bank.

        Args:
            each: (k,) of each row instead, window after window.
        """
        logits = self.logits(batch, bank, routing)
        return self.lesson.readout.loss(logits, self.labels(batch).to(logits.device), each)

    def logits(self, batch: list[Window], bank: AdapterBank, routing: Routing, own: Tensor | None = None) -> Tensor:
        """(k, t) fp32 logits of the readout's tokens of the rows that a batch answers, window after window.

        Args:
            own: as `own_parts` gives it, where the batch is of several lessons; none = of this one's.
        """
        device = next(self.model.parameters()).device
        own = self.own_parts(batch) if own is None else own
        with bank.use(routing), nullcontext() if own is None or bank.items is None else bank.items.leaving_out(own):
            with autocast(device, self.config.precision):
                hidden = hidden_states(self.model, pad(batch, device))
            read = hidden[answer_positions(batch, device)]
            return answer_logits(self.model, read, self.lesson.readout.tokens).float()

    def own_parts(self, batch: Sequence[Window]) -> Tensor | None:
        """(b, t) what is left out of the rows whose titles' tokens stand there, 0 elsewhere; None where nothing is."""
        tokens = item_tokens(self.model)
        if self.own is None or tokens is None:
            return None
        parts = torch.zeros(len(batch), max(len(window.ids) for window in batch))
        for part, window in zip(parts, batch, strict=True):
            at = np.flatnonzero(window.ids >= tokens.first)
            part[at] = torch.from_numpy(LEFT_OUT * self.own[window.first : window.first + len(at)])
        return parts.to(next(self.model.parameters()).device)

    def labels(self, batch: Sequence[Window]) -> Tensor:
        """(k,) int64, the right answers of those rows."""
        return torch.from_numpy(self.lesson.labels[np.concatenate([window.rows for window in batch])]).long()


def items_read(model: torch.nn.Module, windows: Sequence[Window]) -> Tensor | None:
    """(m,) the items that some windows read, rising; None where the base has no tokens for items."""
    if (tokens := item_tokens(model)) is None:
        return None
    read = np.unique(np.concatenate([window.ids for window in windows]))
    return torch.from_numpy(read[read >= tokens.first] - tokens.first)


class Step(ABC):
    """The steps of one training. It has banks over the model as long as it is open: one slot, or as many as it needs.

    All randomness is torch's global generator, which the loop seeds, and generators seeded by the lesson.
    """

    def __init__(self, learning: Learning) -> None:
        self.learning = learning

    @property
    @abstractmethod
    def steps(self) -> int:
        """How many there will be, at most."""

    @abstractmethod
    def batches(self) -> Iterator[list[Window]]:
        """What each step reads; again the same when asked again."""

    @abstractmethod
    def take(self, batch: list[Window], rate: float) -> tuple[float, int]:
        """Change the adapter by a batch; the sum of the losses of its rows (nats), and their number."""

    @abstractmethod
    def state(self) -> State:
        """The adapter as it is now."""

    @abstractmethod
    def content(self) -> dict[str, Any]:
        """All that later steps depend on, as `torch.save` takes it."""

    @abstractmethod
    def restore(self, content: dict[str, Any]) -> None:
        """Go on from there."""

    @abstractmethod
    def close(self) -> None:
        """Detach from the model."""
