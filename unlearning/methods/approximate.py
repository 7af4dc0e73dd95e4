"""What approximate methods have in common: one shard that is not trained anew, and, of most, a loss that changes it."""

from __future__ import annotations

from abc import abstractmethod
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
    """It has one shard forget without training it anew."""

    approximate = True
    by_user, by_row = "hash+average-nd", "hash+average-nd"

    @classmethod
    def make(cls, name: str, pair: str, shards: int, slices: int, aggregation: AggregationConfig) -> Self:
        return super().make(name, pair, 1, 1, aggregation)


class FineTuning(Approximate):
    """A loss and its schedule; an `Approach`. A class of its own gives both, and its weights as settings.

    Where the rows to be forgotten are no longer known, or none are left, the shard is trained anew.
    """

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

    def work(self, training: ShardTraining, forgotten: Forgotten | None) -> Work[Trained]:
        known = forgotten is not None and forgotten.lesson.windows and training.job.windows
        return Unlearning(self, training, forgotten) if known and forgotten is not None else training

    @abstractmethod
    def loss(self, forget: Answers, retain: Answers | None) -> Tensor:
        """What a step makes small; without retained rows where those to be forgotten are by themselves."""
