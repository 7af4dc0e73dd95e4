"""Gradient ascent (locuslab/open-unlearning): loss = -CE(y, z), mean over forgotten rows; no retained row has a part.

It has no lower bound: rows of which the student is wrong by more than `ceiling` nats are left alone.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from unlearning.approximate.answers import Answers
from unlearning.methods.approximate import FineTuning


class GradientAscent(FineTuning):
    alone: float = 1.0
    paired: float = 0.0
    ceiling: float | None = Field(None, gt=0, description="nats from which on a row is wrong enough; none = never")

    def loss(self, forget: Answers, retain: Answers | None) -> Tensor:
        return ascent(forget, self.ceiling)


def ascent(forget: Answers, ceiling: float | None) -> Tensor:
    """-CE, each row at most the ceiling."""
    errors = forget.errors()
    return -(errors if ceiling is None else errors.clamp(max=ceiling)).mean()
