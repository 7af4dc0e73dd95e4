"""What a way of approximate unlearning is: a loss and its schedule. All else is the same for every one of them."""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol

from torch import Tensor

from unlearning.approximate.answers import Answers, Teacher


class Approach(Protocol):
    """
    Attributes:
        teachers: whose answers the loss wants.
        alone: passes over the rows to be forgotten, by themselves, that come first.
        paired: passes over them, after that, with as many retained windows in every step.
        pace: the learning rates, as a multiple of those of training.
        item_rows: whether titles' effects of the answers to be forgotten are taken off the rows at the start.
        start: the original, or that without a share of what the rows to be forgotten teach alone.
        share: that share; None = fitted.
        augmenting: passes over the rows to be forgotten that make the augmented teacher of the original.
        augmenting_pace: their learning rates, as a multiple of those of training.
    """

    teachers: ClassVar[tuple[Teacher, ...]]

    @property
    def alone(self) -> float: ...

    @property
    def paired(self) -> float: ...

    @property
    def pace(self) -> float: ...

    @property
    def item_rows(self) -> Literal["reset", "kept"]: ...

    @property
    def start(self) -> Literal["original", "subtracted"]: ...

    @property
    def share(self) -> float | None: ...

    @property
    def augmenting(self) -> float: ...

    @property
    def augmenting_pace(self) -> float: ...

    def loss(self, forget: Answers, retain: Answers | None) -> Tensor:
        """What a step makes small; without retained rows where those to be forgotten are by themselves."""
