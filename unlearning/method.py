"""A method of exact unlearning: how rows are sorted into shards, and how the shards answer together."""

from __future__ import annotations

from pydantic import Field

from fedrec.aggregation import AGGREGATORS, AggregationConfig, Aggregator
from fedrec.config import Section, validated
from fedrec.errors import UsageError
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
    """

    name: str
    partition: str
    aggregator: str
    shards: int = Field(4, ge=1, le=256)
    slices: int = Field(1, ge=1, le=64)
    aggregation: AggregationConfig = AggregationConfig()

    @property
    def partitioner(self) -> Partitioner:
        return PARTITIONERS[self.partition]

    @property
    def answers(self) -> Aggregator:
        return AGGREGATORS[self.aggregator]


def method_named(name: str, shards: int, slices: int = 1, aggregation: AggregationConfig | None = None) -> Method:
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
    settings = (aggregation or AggregationConfig()).model_dump()
    tree = {"name": name, "partition": partition, "aggregator": aggregator, "shards": shards, "slices": slices}
    return validated(Method, {**tree, "aggregation": settings})
