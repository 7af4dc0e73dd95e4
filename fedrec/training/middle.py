"""The middle of a split model as it is trained: one client's adapter of it, and the optimiser of that.

    forward    states before block k           →  states before block n - m
    backward   dL/d(states before block n-m)   →  dL/d(states before block k), |gradient of the adapter|^2
    step       rate, clip                      →  AdamW by clip times the gradient

Whole and split, a gradient is clipped by the norm of all of it: the client adds up both parts' and says the factor.

It lives as long as a client trains one adapter in one round, and no longer: the adapter comes with the client at the
beginning and goes back to it at the end, as the middle of the adapter it sends in. So whoever computes the middle keeps
nothing of anybody between rounds, and an erasure finds a person's traces where they were without a split: with the
client, in the rounds' adapters and in what is made of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from fedrec.config import LoraConfig
from fedrec.hardware import autocast
from fedrec.models.adapter import State
from fedrec.models.adapter_bank import AdapterBank, Routed
from fedrec.models.banks_in_use import using
from fedrec.models.split import Middle
from fedrec.training.proximal import add_pull


@dataclass(frozen=True)
class Begin:
    """What the middle is told of a training, once.

    Attributes:
        start: the middle's part of an adapter; anchor: what it is pulled towards (FedProx), by the weight `pull`.
        lora: its targets are the layers of `start`.
        weight_decay: of AdamW; precision: fp32 or bf16; seed: of dropout.
    """

    start: State
    lora: LoraConfig
    weight_decay: float = 0.0
    precision: str = "fp32"
    seed: int = 0
    pull: float = 0.0
    anchor: State | None = None


class Session(Protocol):
    """A middle, wherever it is computed. States and gradients are packed: (n, ...), the rows of a batch behind each
    other without padding, as `lengths` says, which sum to n."""

    def forward(self, lengths: Sequence[int], states: Tensor, learn: bool) -> Tensor:
        """The states before the tail; with `learn`, `backward` may follow."""

    def backward(self, gradient: Tensor, wanted: bool) -> Tensor | None:
        """The gradient of the states that came last; None unless it is wanted."""

    @property
    def squared_norm(self) -> float:
        """Of the adapter's gradient, once there is one."""

    def step(self, rate: float, clip: float) -> None:
        """Change the adapter, by so much of the gradient."""

    def state(self) -> State:
        """The middle's part of the adapter as it is now."""

    def close(self) -> None:
        """Forget it all."""


class Link(Protocol):
    """Who computes the middle."""

    def open(self, begin: Begin) -> Session:
        """A session of one's own."""


class MiddleHere:
    """Sessions in this process."""

    def __init__(self, middle: Middle) -> None:
        self.middle = middle

    def open(self, begin: Begin) -> MiddleSession:
        return MiddleSession(self.middle, begin)


@dataclass(eq=False)
class Graph:
    """What a forward left to go back through.

    Attributes:
        given, made: states that came in and went out.
        open: the sessions of the same pass that have not gone back yet.
    """

    given: Tensor
    made: Tensor
    open: set[MiddleSession]


class MiddleSession:
    """A client's middle, computed here.

    Attributes:
        graph: of the last forward that one may go back through.
    """

    def __init__(self, middle: Middle, begin: Begin) -> None:
        """
        Raises:
            UsageError, FedrecError: the adapter does not fit the middle's layers.
        """
        self.middle, self.begin = middle, begin
        self.bank = AdapterBank(middle.layers, begin.lora)
        parameters = self.bank.layer_parameters()
        self._anchors: list[Tensor] = []
        if begin.pull:
            self.bank.load(0, begin.anchor or begin.start)
            self._anchors = [parameter.detach().clone() for parameter in parameters]
        self.bank.load(0, begin.start)
        self.optimiser = torch.optim.AdamW(parameters, weight_decay=begin.weight_decay, fused=True)
        self.graph: Graph | None = None
        self._forwards = 0

    def forward(self, lengths: Sequence[int], states: Tensor, learn: bool) -> Tensor:
        """As `Session.forward`; ValueError if the lengths are not those of the states."""
        check_lengths(lengths, states)
        self.leave()
        self.bank.train(learn)
        given = states.detach().requires_grad_(learn)
        computing = autocast(given.device, self.begin.precision)
        with torch.set_grad_enabled(learn), self._randomly(learn), using({}), self.bank.use(Routed(0)), computing:
            made = packed(self.middle(padded(given, lengths)), lengths)
        if learn:
            self.graph = Graph(given, made, {self})
        return made.detach()

    def backward(self, gradient: Tensor, wanted: bool) -> Tensor | None:
        """As `Session.backward`; ValueError without such a forward before it."""
        return go_back([self], [gradient], [wanted])[0]

    def leave(self) -> None:
        """Go back no more through the last forward."""
        if self.graph is not None:
            self.graph.open.discard(self)
            self.graph = None

    def pull(self) -> None:
        """Add the gradient of the proximal term, where there is one."""
        add_pull(self.bank.layer_parameters(), self._anchors, self.begin.pull)

    @property
    def squared_norm(self) -> float:
        return squared_norm(self.bank.layer_parameters())

    def step(self, rate: float, clip: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        scale_gradients(self.bank.layer_parameters(), clip)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)

    def state(self) -> State:
        return self.bank.state(0)

    def close(self) -> None:
        self.leave()
        self.bank.close()

    @contextmanager
    def _randomly(self, learn: bool) -> Iterator[None]:
        """Dropout by the session's own seed, so that it depends on nobody else who computes here."""
        if not learn or not self.begin.lora.dropout:
            yield
            return
        self._forwards += 1
        digest = hashlib.sha256(f"{self.begin.seed}:{self._forwards}".encode()).digest()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int.from_bytes(digest[:7], "big"))
            yield


def go_back(
    sessions: Sequence[MiddleSession], gradients: Sequence[Tensor], wanted: Sequence[bool]
) -> list[Tensor | None]:
    """`Session.backward` of sessions that had one forward together; others of it may go back later.

    Raises:
        ValueError: one of them has no such forward before it.
    """
    graphs = [session.graph for session in sessions]
    inputs, made = list[Tensor](), list[Tensor]()
    for session, graph, gradient, below in zip(sessions, graphs, gradients, wanted, strict=True):
        if graph is None or gradient.shape != graph.made.shape:
            raise ValueError("a gradient of no forward")
        session.optimiser.zero_grad(set_to_none=True)
        inputs += [*session.bank.layer_parameters(), *([graph.given] if below else [])]
        made.append(graph.made)
    for session in sessions:
        session.leave()
    later = any(graph.open for graph in graphs if graph is not None)
    with torch.enable_grad():
        torch.autograd.backward(made, list(gradients), inputs=inputs, retain_graph=later)
    for session in sessions:
        session.pull()
    return [graph.given.grad for graph in graphs if graph is not None]


def check_lengths(lengths: Sequence[int], states: Tensor) -> None:
    """ValueError unless they are those of packed states."""
    if sum(lengths) != len(states) or min(lengths, default=0) < 1:
        raise ValueError(f"{len(states)} states of rows of {sum(lengths)}")


def packed(states: Tensor, lengths: Sequence[int]) -> Tensor:
    """(n, ...) of (b, t, ...): what is no padding."""
    return states[_inside(lengths, states.shape[1], states.device)]


def padded(states: Tensor, lengths: Sequence[int], to: int | None = None) -> Tensor:
    """(b, t, ...) of (n, ...), with zeros behind each row; t is the longest row's, or as given."""
    inside = _inside(lengths, to or max(lengths), states.device)
    whole = states.new_zeros(*inside.shape, *states.shape[1:])
    return whole.index_put((inside,), states)


def squared_norm(parameters: Sequence[Tensor]) -> float:
    """Of all their gradients together."""
    norms = [each.grad.norm() for each in parameters if each.grad is not None]
    return float(torch.stack(norms).double().square().sum()) if norms else 0.0


def scale_gradients(parameters: Sequence[Tensor], factor: float) -> None:
    """Multiply their gradients."""
    for each in parameters:
        if each.grad is not None:
            each.grad.mul_(factor)


def _inside(lengths: Sequence[int], t: int, device: torch.device) -> Tensor:
    """(b, t) whether a row reaches there."""
    return torch.arange(t, device=device) < torch.tensor(lengths, device=device)[:, None]
