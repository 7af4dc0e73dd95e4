"""E2URec (Wang et al., arXiv 2403.03536; Front. Comput. Sci. 19(3):193327, 2025; code justarter/E2URec).

With logits z_o of the original, z_a of the original trained further on what is to be forgotten, and the student's z:

    z_F = z_o - alpha ReLU(z_a - z_o)                                the forgetting teacher
    FGT = mean over forgotten rows of KL(softmax z_F || softmax z)
    REM = mean over retained rows of KL(softmax z_o || softmax z) + CE(y, z)
    loss = beta FGT + (1 - beta) REM;  FGT alone in the first phase

Over the task's possible answers, where the paper has the whole vocabulary.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from unlearning.approximate.answers import Answers, Teacher
from unlearning.methods.approximate import FineTuning


class E2URec(FineTuning):
    """Two teachers, two phases. Weights are those of the published script; the schedule is shorter, as rows are reset.

    As published: `item_rows=kept:augmenting=1.5:alone=1:paired=0.23`.
    """

    teachers: ClassVar[tuple[Teacher, ...]] = ("original", "augmented")

    alone: float = 0.1
    paired: float = 0.1
    augmenting: float = 0.25
    alpha: float = Field(2.0, ge=0, description="how far the forgetting teacher turns from what further training adds")
    beta: float = Field(0.4, ge=0, le=1, description="weight of forgetting beside remembering")

    def loss(self, forget: Answers, retain: Answers | None) -> Tensor:
        target = forgetting_teacher(forget.teachers["original"], forget.teachers["augmented"], self.alpha)
        forgetting = forget.divergence(target)
        if retain is None:
            return forgetting
        return self.beta * forgetting + (1 - self.beta) * remembering(retain)


def forgetting_teacher(original: Tensor, augmented: Tensor, alpha: float) -> Tensor:
    """z_F (k, t), lower wherever further training on the rows raises a logit."""
    return original - alpha * (augmented - original).relu()


def remembering(retain: Answers) -> Tensor:
    """REM: what the original says, and what is right."""
    return retain.divergence(retain.teachers["original"]) + retain.errors().mean()
