"""The plain step with a split model: the client's layers here, the middle in a session, wherever that is.

It learns what the plain step does, to float tolerance: one loss, one clip by the norm of both parts' gradients, one
rate; each part has its own AdamW. No gradient is asked back where nothing learns below the middle. There are no
checkpoints within a round: the middle's optimiser is not here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fedrec.data.prompts import Window
from fedrec.errors import UsageError
from fedrec.models.adapter import State
from fedrec.models.adapter_bank import AdapterBank, Routing
from fedrec.models.blocks import blocks_path
from fedrec.models.split import SplitPlan, client_part, computed_by
from fedrec.protocol.adapters import ITEMS_A
from fedrec.training.middle import Begin, Link, Session, packed, padded, scale_gradients, squared_norm
from fedrec.training.plain_step import Plain
from fedrec.training.step import Learning
from fedrec.training.stopping import Stopping, mean_loss


@dataclass(frozen=True)
class SplitLearning(Learning):
    """An adapter of the whole model, what it is to learn, and who computes the middle; `model` is the client's part.

    Attributes:
        layers: paths of the middle's blocks, each with a dot behind.
        session: the middle of the adapter that is computed with.
    """

    link: Link | None = None
    layers: tuple[str, ...] = ()
    session: Session | None = None

    def logits(self, batch: list[Window], bank: AdapterBank, routing: Routing, own: Tensor | None = None) -> Tensor:
        assert self.session is not None
        lengths = [len(window.ids) for window in batch]
        with computed_by(partial(through, self.session, lengths)):
            return super().logits(batch, bank, routing, own)

    def opened(self, state: State) -> SplitLearning:
        """Of the client's part alone, with the middle of an adapter in a session.

        Raises:
            UsageError: one of the parts has no layer with an adapter.
        """
        assert self.link is not None
        config = self.config
        start, middle = self.parted(state)
        anchor, far = (None, None) if self.anchor is None else self.parted(self.anchor)
        begin = Begin(
            middle, self._of(middle, "the server's"), config.weight_decay, config.precision, self.lesson.seed,
            self.pull, far,
        )  # fmt: skip
        lora = self._of(start, "the client's")
        return replace(self, start=start, anchor=anchor, lora=lora, session=self.link.open(begin))

    def parted(self, state: State) -> tuple[State, State]:
        """The client's tensors of an adapter, and the middle's."""
        middle = {key: tensor for key, tensor in state.items() if key.startswith(self.layers)}
        return {key: tensor for key, tensor in state.items() if key not in middle}, middle

    def _of(self, state: State, whose: str) -> Any:
        """The settings of the layers that a part of an adapter has."""
        targets = tuple(key.removesuffix(".A") for key in state if key.endswith(".A") and key != ITEMS_A)
        if not targets:
            raise UsageError(f"lora.targets: none of {whose} layers has an adapter; add some, or choose another split")
        return self.lora.model_copy(update={"targets": targets})


def split(learning: Learning, plan: SplitPlan, link: Link) -> SplitLearning:
    """The same with the middle computed by somebody else; the model is all here.

    Raises:
        UsageError: the model has too few blocks for the plan.
    """
    path = blocks_path(learning.model)
    middle = plan.middle(len(learning.model.get_submodule(path)))  # type: ignore[arg-type]
    told = {each.name: getattr(learning, each.name) for each in fields(learning)}
    told["model"] = client_part(learning.model, plan)
    return SplitLearning(**told, link=link, layers=tuple(f"{path}.{i}." for i in middle))


class SplitStep(Plain):
    """As `Plain`, with a middle elsewhere."""

    learning: SplitLearning

    def __init__(self, learning: SplitLearning) -> None:
        opened = learning.opened(learning.start)
        assert opened.session is not None
        self.session = opened.session
        super().__init__(opened)

    def clip_and_step(self, rate: float) -> None:
        norm = math.sqrt(squared_norm(self.layers) + self.session.squared_norm)
        factor = min(1.0, self.learning.config.clip / (norm + 1e-6))  # as `clip_grad_norm_` of all together
        self.session.step(rate, factor)
        scale_gradients(self.layers, factor)
        self.optimiser.step()

    def state(self) -> State:
        return self.bank.state(0) | self.session.state()

    def content(self) -> dict[str, Any]:
        raise NotImplementedError("a split training is not kept within a round")

    def close(self) -> None:
        self.session.close()
        super().close()


class SplitStopping(Stopping):
    """As `Stopping`: each adapter on the way is judged with its own middle."""

    exam: SplitLearning

    def judge(self, state: State) -> float:
        exam = self.exam.opened(state)
        assert exam.session is not None
        with closing(exam.session):
            return mean_loss(exam, exam.start)


def through(session: Session, lengths: Sequence[int], states: Tensor) -> Tensor:
    """States (b, t, ...) before the tail, of rows of these lengths, by a session; zero where there is padding."""
    if not torch.is_grad_enabled():
        return padded(session.forward(lengths, packed(states, lengths), False), lengths, states.shape[1])
    learning = torch.zeros(
        (), device=states.device, requires_grad=True
    )  # the middle has a gradient if nothing here has
    made: Tensor = _Through.apply(states, learning, session, lengths)  # type: ignore[no-untyped-call]
    return made


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, _: Tensor, session: Session, lengths: Sequence[int]) -> Tensor:
        ctx.session, ctx.lengths, ctx.t = session, lengths, states.shape[1]
        return padded(session.forward(lengths, packed(states, lengths), True), lengths, ctx.t)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None, None, None]:
        found = ctx.session.backward(packed(gradient, ctx.lengths), ctx.needs_input_grad[0])
        return None if found is None else padded(found, ctx.lengths, ctx.t), None, None, None
