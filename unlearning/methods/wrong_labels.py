"""Wrong labels (E2URec's repository, where the flipped ones are named Bad-T):

    loss = CE(y, z) over retained rows + weight CE(y~, z) over forgotten rows

y~ is another answer than the right one, drawn anew in every step (flipped: of two answers, the other one), or any
answer (random). Flipped labels can push the AUC of forgotten rows below 0.5: compare with Retraining, not with chance.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from unlearning.approximate.answers import Answers
from unlearning.methods.approximate import FineTuning


class RandomLabels(FineTuning):
    least: ClassVar[int] = 0
    """By how much at least the drawn answer is moved on from the right one."""

    weight: float = Field(0.2, ge=0, description="of forgetting")

    def loss(self, forget: Answers, retain: Answers | None) -> Tensor:
        answers = forget.student.shape[-1]
        gone = self.weight * forget.errors(moved(forget.labels, answers, self.least)).mean()
        return gone if retain is None else retain.errors().mean() + gone


class FlippedLabels(RandomLabels):
    least: ClassVar[int] = 1


def moved(labels: Tensor, answers: int, least: int) -> Tensor:
    """(k,) labels, each moved on by `least` to `answers` - 1 places, uniformly, by torch's global generator."""
    steps = torch.randint(least, answers, labels.shape).to(labels.device)
    return (labels + steps) % answers
