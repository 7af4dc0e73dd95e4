"""A method of exact unlearning: how rows are sorted into shards, and how the shards answer together."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fedrec.aggregation import AGGREGATORS, AggregationConfig, Aggregator
from fedrec.config import Section, validated
from fedrec.errors import UsageError
from unlearning.partition import PARTITIONERS, Partitioner

Unit = Literal["user", "row"]

PUBLISHED: dict[str, dict[Unit, str]] = {
    "retraining": {"user": "hash+average-nd", "row": "hash+average-nd"},
    "sisa": {"user": "random-user+sisa", "row": "random+sisa"},
    "grapheraser": {"user": "bekm+grapheraser", "row": "bekm+grapheraser"},
    "receraser": {"user": "ubp+receraser", "row": "inbp+receraser"},
    "apa-d": {"user": "semantic-user+apa-d", "row": "semantic+apa-d"},
    "apa-nd": {"user": "semantic-user+apa-nd", "row": "semantic+apa-nd"},
    "apa-user": {"user": "semantic-user+apa-nd", "row": "semantic-user+apa-nd"},
    "strict": {"user": "public+apa-nd", "row": "public-row+apa-nd"},
    "strict-hash": {"user": "hash+apa-nd", "row": "hash-row+apa-nd"},
}
"""Short names of the pairs PARTITIONER+AGGREGATOR that papers and the design propose, by what is deleted.

Sorted by rows, a person's rows are in many shards, and to delete the person trains them all again.
"""


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


def method_named(
    name: str, shards: int, slices: int = 1, aggregation: AggregationConfig | None = None, unit: Unit = "user"
) -> Method:
    """A method by its short name or as PARTITIONER+AGGREGATOR. Retraining has one shard and no slices.

    Args:
        unit: what will be deleted; of a short name it decides the partitioner.

    Raises:
        UsageError: it is unknown.
    """
    partition, plus, aggregator = (PUBLISHED[name][unit] if name in PUBLISHED else name).partition("+")
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
