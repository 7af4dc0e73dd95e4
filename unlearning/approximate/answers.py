"""What a loss of approximate unlearning is computed from: the answers of the student and its teachers to the same rows,
and the divergence between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from fedrec.tasks.task import Readout

Teacher = Literal["original", "augmented", "initial"]
"""The adapter as it was trained; the same trained further on what is to be forgotten; one that learnt nothing."""


@dataclass(frozen=True)
class Answers:
    """
    Attributes:
        student: (k, t) logits of the t possible answers to k rows.
        labels: (k,) int64, the right ones.
        readout: the task's loss.
        teachers: (k, t) logits of each, constants.
    """

    student: Tensor
    labels: Tensor
    readout: Readout
    teachers: Mapping[Teacher, Tensor] = field(default_factory=dict)

    def errors(self, labels: Tensor | None = None) -> Tensor:
        """(k,) the task's loss of each row, by the right answers or by others (k,)."""
        return self.readout.loss(self.student, self.labels if labels is None else labels, each=True)

    def divergence(self, target: Tensor) -> Tensor:
        """Mean over the rows of KL(softmax(target) || softmax(student)), nats; `target` (k, t) logits.

        Padding has no part in it: there is one answer position a row.
        """
        wanted, found = target.log_softmax(-1), self.student.log_softmax(-1)
        return (wanted.exp() * (wanted - found)).sum(-1).mean()
