"""NegGrad, or gradient difference (E2URec's repository; GradDiff of locuslab/open-unlearning):

loss = CE over retained rows - weight CE over forgotten rows
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from unlearning.approximate.answers import Answers
from unlearning.methods.approximate import FineTuning
from unlearning.methods.gradient_ascent import ascent


class NegGrad(FineTuning):
    weight: float = Field(0.2, ge=0, description="of forgetting")
    ceiling: float | None = Field(None, gt=0, description="nats from which on a row is wrong enough; none = never")

    def loss(self, forget: Answers, retain: Answers | None) -> Tensor:
        gone = ascent(forget, self.ceiling)
        return gone if retain is None else retain.errors().mean() + self.weight * gone
