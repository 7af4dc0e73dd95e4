"""Bad-Teacher (Chundawat et al., AAAI 2023, arXiv 2205.08096; code vikram2000b/bad-teaching-unlearning):

    loss = mean over rows of KL(q || softmax(z / T))
    q = softmax(z_d / T) of forgotten rows, softmax(z_o / T) of others

z_o are the original's logits, z_d those of a teacher that knows nothing: `uniform`, what a random network says of t
answers in the mean, or `initial`, the base model without an adapter.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from unlearning.approximate.answers import Answers, Teacher
from unlearning.methods.approximate import FineTuning


class BadTeacher(FineTuning):
    teachers: ClassVar[tuple[Teacher, ...]] = ("original", "initial")

    bad: Literal["uniform", "initial"] = Field("uniform", description="the teacher that knows nothing")
    temperature: float = Field(1.0, gt=0, description="T of the softmax")

    def loss(self, forget: Answers, retain: Answers | None) -> Tensor:
        known = forget.teachers["initial"]
        bad = torch.zeros_like(known) if self.bad == "uniform" else known
        student, target, labels = [forget.student], [bad], [forget.labels]
        if retain is not None:
            student, target = [*student, retain.student], [*target, retain.teachers["original"]]
            labels.append(retain.labels)
        together = Answers(torch.cat(student) / self.temperature, torch.cat(labels), forget.readout)
        return together.divergence(torch.cat(target) / self.temperature)
