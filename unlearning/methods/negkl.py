"""NegKL (Chen and Yang, EMNLP 2023, "Unlearn what you want to forget"; the weights are not published here):

    loss = KL(o || s) over retained rows + CE over retained rows - weight KL(o || s) over forgotten rows

o the original's answers, s the student's. At the start KL(o || s) = 0 is where its gradient vanishes, so forgetting
begins with what remembering changes.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from unlearning.approximate.answers import Answers, Teacher
from unlearning.methods.approximate import FineTuning
from unlearning.methods.e2urec import remembering


class NegKL(FineTuning):
    teachers: ClassVar[tuple[Teacher, ...]] = ("original",)

    weight: float = Field(0.5, ge=0, description="of forgetting")

    def loss(self, forget: Answers, retain: Answers | None) -> Tensor:
        away = -self.weight * forget.divergence(forget.teachers["original"])
        return away if retain is None else remembering(retain) + away
