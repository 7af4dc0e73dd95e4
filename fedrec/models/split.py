"""The layers of a decoder split between a client and a server (PPLR's flexible allocation, algorithms.md 1.4).

    client   embeddings, item tokens, blocks 0 ... k-1                    "head"
    server   blocks k ... n-m-1                                           "middle"
    client   blocks n-m ... n-1, final norm, LM head                      "tail"

A client's part is an ordinary model of its family in whose place of the middle one call stands: what comes to the first
of those blocks goes to whoever computes the middle, and what comes back goes to the first block of the tail. So banks,
losses and item tokens see nothing of the split. Tokens and labels stay with the client, and only with it: k and m are 1
at least, because an embedding names its token, and the LM head, which is public, tells of the last states what is
predicted.

The server's part runs the family's own forward on made-up tokens, for its masks and positions, and puts the client's
states in at block k. What the middle needs beside those states (other layers' keys, the tokens themselves) it does not
have: `fault_of` tries a model out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fedrec.errors import FedrecError, UsageError
from fedrec.models import probe_tokens
from fedrec.models.adapter_reach import take_as_reached
from fedrec.models.blocks import StandIns, blocks_path, with_blocks
from fedrec.models.body import hidden_states

Compute = Callable[[Tensor], Tensor]
"""The middle as a function of states (b, t, ...), differentiable."""

_MIDDLE: ContextVar[Compute | None] = ContextVar("who computes the middle", default=None)
_GIVEN: ContextVar[Tensor | None] = ContextVar("states that come to the middle", default=None)


@dataclass(frozen=True)
class SplitPlan:
    """How many blocks a client has: the first `head` and the last `tail`."""

    head: int
    tail: int = 1

    def middle(self, blocks: int) -> range:
        """The server's of so many blocks.

        Raises:
            UsageError: nothing is left for the server, or a part of the client's would be empty.
        """
        if self.head < 1 or self.tail < 1:
            raise UsageError(
                "split.head and split.tail must be 1 at least: tokens and predictions stay with the client"
            )
        if self.head + self.tail >= blocks:
            raise UsageError(
                f"split.head = {self.head}, split.tail = {self.tail}: the model has {blocks} blocks, and none is left "
                "for the server; choose fewer, or split.head = 0 for a client with all of them"
            )
        return range(self.head, blocks - self.tail)


def client_blocks(blocks: Sequence[nn.Module], plan: SplitPlan) -> list[nn.Module]:
    """A client's blocks, with a call in place of the middle."""
    middle = plan.middle(len(blocks))
    stand_ins = StandIns([block for i, block in enumerate(blocks) if i not in middle])
    passed = {i: stand_ins.of(blocks[i], _call if i == middle.start else _as_it_is) for i in middle}
    return [passed.get(i, block) for i, block in enumerate(blocks)]


def server_blocks(blocks: Sequence[nn.Module], plan: SplitPlan) -> list[nn.Module]:
    """The server's: what is given takes the place of the head's states, and what comes to the tail ends the forward."""
    middle = plan.middle(len(blocks))
    stand_ins = StandIns([blocks[i] for i in middle])
    made: dict[int, Compute] = {middle.start - 1: _given, middle.stop: _end}
    passed = {i: stand_ins.of(blocks[i], made.get(i, _as_it_is)) for i in range(len(blocks)) if i not in middle}
    return [passed.get(i, block) for i, block in enumerate(blocks)]


def client_part(model: Any, plan: SplitPlan) -> Any:
    """A client's part of a model that is all here: a model of its family, which shares its weights and tells no other.

    Its forward needs a middle, `computed_by`.
    """
    path = blocks_path(model)
    part = with_blocks(model, path, client_blocks(list(model.get_submodule(path)), plan))
    take_as_reached(part)
    return part


class Middle(nn.Module):
    """The server's part, without adapters.

    Attributes:
        layers: has its blocks under their paths in the model, for banks.
        width: of the embedding.
    """

    def __init__(self, model: Any, path: str, middle: range) -> None:
        """
        Args:
            model: whose other blocks are stand-ins, `server_blocks`.
        """
        super().__init__()
        self.layers = _at(path, {str(i): model.get_submodule(f"{path}.{i}") for i in middle})
        self._model = [model]  # no submodule: what it has beside its blocks is not the server's
        padding = getattr(model.config.get_text_config(decoder=True), "pad_token_id", None)
        self._token = 1 if padding == 0 else 0
        self.width = int(model.get_input_embeddings().weight.shape[-1])

    def forward(self, states: Tensor) -> Tensor:
        """States (b, t, ...) before block k to those before block n - m."""
        ids = torch.full(states.shape[:2], self._token, device=states.device)
        given = _GIVEN.set(states)
        try:
            hidden_states(self._model[0], ids)
        except _Reached as reached:
            return reached.states
        finally:
            _GIVEN.reset(given)
        raise RuntimeError("its forward leaves out the first block of the tail")


def server_part(model: Any, plan: SplitPlan) -> Middle:
    """The server's part of a model that is all here, sharing its weights."""
    path = blocks_path(model)
    blocks = list(model.get_submodule(path))
    return Middle(with_blocks(model, path, server_blocks(blocks, plan)), path, plan.middle(len(blocks)))


@contextmanager
def computed_by(middle: Compute) -> Iterator[None]:
    """Within this block, in this thread, client parts have this middle."""
    token = _MIDDLE.set(middle)
    try:
        yield
    finally:
        _MIDDLE.reset(token)


@torch.no_grad()
def fault_of(model: Any, plan: SplitPlan) -> str | None:
    """Why a model that is all here cannot be split like this, in a few words; None where it can. Tried on made-up
    tokens: split it has to read as it reads whole."""
    try:
        client, middle = client_part(model, plan), server_part(model, plan)
    except FedrecError as error:
        return str(error)
    ids = probe_tokens.tokens(model)
    with probe_tokens.alone(model):
        whole = hidden_states(model, ids)
        try:
            with computed_by(middle):
                split = hidden_states(client, ids)
        except Exception as error:  # the model's own code raises what it likes
            return f"its middle needs more than states ({type(error).__name__}: {' '.join(str(error).split())[:100]})"
    return None if probe_tokens.same(whole, split) else "its middle needs more than the states that come to it"


def check_split(model: Any, plan: SplitPlan) -> None:
    """Refuse a plan by which a model cannot be split.

    Raises:
        UsageError: in one line.
    """
    if (fault := fault_of(model, plan)) is not None:
        told = f"split.head = {plan.head}, split.tail = {plan.tail}: {fault}"
        raise UsageError(f"{told}; choose others, or split.head = 0 for clients with all blocks")


def _as_it_is(states: Tensor) -> Tensor:
    return states


def _call(states: Tensor) -> Tensor:
    middle = _MIDDLE.get()
    if middle is None:
        raise RuntimeError("a client's part of a model reads nothing without its middle: computed_by")
    return middle(states)


def _given(_: Tensor) -> Tensor:
    states = _GIVEN.get()
    assert states is not None
    return states


class _Reached(Exception):
    """The forward has come to the tail, with these states."""

    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self.states = states


def _end(states: Tensor) -> Tensor:
    raise _Reached(states)


def _at(path: str, children: dict[str, nn.Module]) -> nn.Module:
    """A module that has the children at a path."""
    whole = nn.Module()
    for name, child in children.items():
        whole.add_module(name, child)
    for name in reversed(path.split(".")):
        outer = nn.Module()
        outer.add_module(name, whole)
        whole = outer
    return whole
