"""Generic targets (Eldan and Russinovich, "Who's Harry Potter?", arXiv 2310.02238):

    y* = argmax of z_o - alpha ReLU(z_a - z_o),  loss = CE(y*, z) over forgotten rows

z_o and z_a are logits of the original and of the original trained further on what is to be forgotten. The paper also
replaces idiosyncratic words in the text; titles are left as they are here.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from unlearning.approximate.answers import Answers, Teacher
from unlearning.methods.approximate import FineTuning
from unlearning.methods.e2urec import forgetting_teacher


class GenericTargets(FineTuning):
    teachers: ClassVar[tuple[Teacher, ...]] = ("original", "augmented")

    alone: float = 1.0
    paired: float = 0.0
    augmenting: float = 1.0
    alpha: float = Field(5.0, ge=0, description="how far targets turn from what further training adds")

    def loss(self, forget: Answers, retain: Answers | None) -> Tensor:
        target = forgetting_teacher(forget.teachers["original"], forget.teachers["augmented"], self.alpha)
        return forget.errors(target.argmax(-1)).mean()
