"""What approximate methods have in common: one shard, which is changed instead of trained anew."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field
from torch import Tensor

from fedrec.config import AggregationConfig
from unlearning.approximate.answers import Answers, Teacher
from unlearning.approximate.work import Unlearning
from unlearning.compute.workers import Work
from unlearning.methods.method import Method
from unlearning.shards.training import Forgotten, ShardTraining, Trained


class Approximate(Method):
    """A loss and its schedule; an `Approach`. A class of its own gives both, and its weights as settings.

    Where the rows to be forgotten are no longer known, or none are left, the shard is trained anew.
    """

    approximate = True
    by_user, by_row = "hash+average-nd", "hash+average-nd"
    teachers: ClassVar[tuple[Teacher, ...]] = ()

    alone: float = Field(0.0, ge=0, description="passes over the forgotten rows by themselves, first")
    paired: float = Field(1.0, ge=0, description="passes over them with as many retained windows beside")
    pace: float = Field(1.0, gt=0, description="learning rates as a multiple of training's")
    item_rows: Literal["reset", "kept"] = Field(
        "reset", description="reset = titles' effects are those of the retained answers, exactly; kept = as published"
    )
    start: Literal["original", "subtracted"] = Field("original", description="the adapter it begins with")
    share: float | None = Field(None, ge=0, description="of what is subtracted; none = fitted on validation rows")
    augmenting: float = Field(0.0, ge=0, description="passes over the forgotten rows that make the augmented teacher")
    augmenting_pace: float = Field(1.0, gt=0, description="learning rates of these, as a multiple of training's")

    @classmethod
    def make(cls, name: str, pair: str, shards: int, slices: int, aggregation: AggregationConfig) -> Self:
        return super().make(name, pair, 1, 1, aggregation)

    def work(self, training: ShardTraining, forgotten: Forgotten | None) -> Work[Trained]:
        known = forgotten is not None and forgotten.lesson.windows and training.job.windows
        return Unlearning(self, training, forgotten) if known and forgotten is not None else training

    def loss(self, forget: Answers, retain: Answers | None) -> Tensor:
        """What a step makes small; without retained rows where those to be forgotten are by themselves."""
        raise NotImplementedError
