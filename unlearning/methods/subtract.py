"""Subtract what was learnt: an adapter of the forgotten rows alone, and a share of it taken from the original."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from unlearning.approximate.answers import Answers
from unlearning.methods.approximate import FineTuning


class Subtract(FineTuning):
    """No step of training follows; with `paired` there would be, on the retained rows alone."""

    paired: float = 0.0
    start: Literal["original", "subtracted"] = "subtracted"

    def loss(self, forget: Answers, retain: Answers | None) -> Tensor:
        return 0 * forget.student.sum() if retain is None else retain.errors().mean()
