"""A method of exact unlearning: how rows are sorted into shards, and how the shards answer together."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from fedrec.config import Section
from fedrec.errors import UsageError
from unlearning.aggregation import AGGREGATORS, AggregationConfig, Aggregator
from unlearning.partition import PARTITIONERS, Partitioner

PUBLISHED = {
    "retraining": "hash+average-nd",
    "sisa": "random+sisa",
    "grapheraser": "bekm+grapheraser",
    "receraser": "inbp+receraser",
    "apa-d": "semantic+apa-d",
    "apa-nd": "semantic+apa-nd",
    "apa-user": "semantic-user+apa-nd",
    "strict": "public+apa-nd",
    "strict-hash": "hash+apa-nd",
}
"""Short names of the pairs PARTITIONER+AGGREGATOR that papers and the design propose."""


class Method(Section):
    """
    Attributes:
        name: as the user gave it.
        validation: the part of the users, by a keyed hash, whose validation rows judge the shards.
    """

    name: str
    partition: str
    aggregator: str
    shards: int = Field(4, ge=1, le=256)
    slices: int = Field(1, ge=1, le=64)
    validation: float = Field(1.0, gt=0, le=1)
    aggregation: AggregationConfig = AggregationConfig()

    @model_validator(mode="after")
    def _known(self) -> Self:
        for kind, name, table in (
            ("partition", self.partition, PARTITIONERS),
            ("aggregator", self.aggregator, AGGREGATORS),
        ):
            if name not in table:
                raise ValueError(f"{kind} {name} is unknown: choose one of {', '.join(table)}")
        return self

    @property
    def partitioner(self) -> Partitioner:
        return PARTITIONERS[self.partition]

    @property
    def answers(self) -> Aggregator:
        return AGGREGATORS[self.aggregator]


def method_named(
    name: str, shards: int, slices: int = 1, validation: float = 1.0, aggregation: AggregationConfig | None = None
) -> Method:
    """A method by its short name or as PARTITIONER+AGGREGATOR. Retraining has one shard and no slices.

    Raises:
        UsageError: it is unknown.
    """
    partition, plus, aggregator = PUBLISHED.get(name, name).partition("+")
    if not plus or partition not in PARTITIONERS or aggregator not in AGGREGATORS:
        raise UsageError(
            f"method {name}: choose {', '.join(PUBLISHED)}, or PARTITIONER+AGGREGATOR of {', '.join(PARTITIONERS)} "
            f"and {', '.join(AGGREGATORS)}"
        )
    if name == "retraining":
        shards = slices = 1
    return Method(
        name=name, partition=partition, aggregator=aggregator, shards=shards, slices=slices, validation=validation,
        aggregation=aggregation or AggregationConfig(),
    )  # fmt: skip
