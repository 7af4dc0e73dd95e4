"""A middle in this process to which states travel as they would to another one: what their bytes lose is lost."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from fedrec.models.adapter import State
from fedrec.training.middle import Begin, Link, Session
from fedrec.training.state_bytes import Wire, from_bytes, to_bytes


class Coded:
    """As another link, with states and gradients in a type of the wire."""

    def __init__(self, link: Link, wire: Wire) -> None:
        self._link, self._wire = link, wire

    def open(self, begin: Begin) -> Session:
        return _CodedSession(self._link.open(begin), self._wire)


class _CodedSession:
    def __init__(self, inner: Session, wire: Wire) -> None:
        self._inner, self._wire = inner, wire

    def forward(self, lengths: Sequence[int], states: Tensor, learn: bool) -> Tensor:
        return self._sent(self._inner.forward(lengths, self._sent(states), learn))

    def backward(self, gradient: Tensor, wanted: bool) -> Tensor | None:
        found = self._inner.backward(self._sent(gradient), wanted)
        return None if found is None else self._sent(found)

    @property
    def squared_norm(self) -> float:
        return self._inner.squared_norm

    def step(self, rate: float, clip: float) -> None:
        self._inner.step(rate, clip)

    def state(self) -> State:
        return self._inner.state()

    def close(self) -> None:
        self._inner.close()

    def _sent(self, states: Tensor) -> Tensor:
        return from_bytes(to_bytes(states, self._wire), self._wire, states.shape).to(states)
