"""What a method of unlearning is: how rows are sorted into shards, how the shards answer together, and what has a shard
forget: it is trained anew without the rows, or, in a method of its own, changed until it is as if.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field

from fedrec.config import AggregationConfig
from fedrec.data.dataset import Interactions
from fedrec.ensemble.aggregators import AGGREGATORS, Aggregator
from fedrec.settings import Section, validated
from fedrec.tasks.task import Encoder
from unlearning.compute.workers import Work
from unlearning.partition import PARTITIONERS, Partitioner
from unlearning.shards.training import Forgotten, ShardTraining, Trained

Unit = Literal["user", "row"]


class Method(Section):
    """A method based on a partition. Sorted by rows, a person's rows are in many shards: to delete the person trains
    them all again.

    Attributes:
        approximate: it has a shard forget without training it anew (`work`), so exactness is not claimed.
        by_user, by_row: PARTITIONER+AGGREGATOR where users are deleted, and where rows are.
        name: as the user gave it.
    """

    approximate: ClassVar[bool] = False
    by_user: ClassVar[str] = ""
    by_row: ClassVar[str] = ""

    name: str
    partition: str
    aggregator: str
    shards: int = Field(4, ge=1, le=256)
    slices: int = Field(1, ge=1, le=64)
    aggregation: AggregationConfig = AggregationConfig()

    @classmethod
    def make(cls, name: str, pair: str, shards: int, slices: int, aggregation: AggregationConfig) -> Self:
        """The method with these settings.

        Args:
            pair: PARTITIONER+AGGREGATOR.

        Raises:
            UsageError: a setting is none.
        """
        partition, _, aggregator = pair.partition("+")
        tree = {"name": name, "partition": partition, "aggregator": aggregator, "shards": shards, "slices": slices}
        return validated(cls, {**tree, "aggregation": aggregation.model_dump()})

    @property
    def partitioner(self) -> Partitioner:
        return PARTITIONERS[self.partition]

    @property
    def answers(self) -> Aggregator:
        return AGGREGATORS[self.aggregator]

    def work(self, training: ShardTraining, forgotten: Forgotten | None) -> Work[Trained]:
        """What brings a shard to where it should be.

        Args:
            training: of it from its rows alone.
            forgotten: of an approximate method what it is to forget, where it is trained and the rows are still known.
        """
        return training

    def reading(self, encoder: Encoder, gone: Interactions, kept: Interactions, seed: int) -> Encoder:
        """How windows are read once rows are gone; as before, but for a method that forgets by what stands in them.

        Args:
            gone, kept: the deleted rows, and those that are left.
        """
        return encoder
