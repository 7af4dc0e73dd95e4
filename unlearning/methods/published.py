"""The methods that papers and the design propose, each a partition and an aggregator."""

from __future__ import annotations

from typing import ClassVar, Self

from fedrec.ensemble.aggregators import AggregationConfig
from unlearning.methods.method import Method


class Retraining(Method):
    """Everything anew, in one shard."""

    by_user: ClassVar[str] = "hash+average-nd"
    by_row: ClassVar[str] = "hash+average-nd"

    @classmethod
    def make(cls, name: str, pair: str, shards: int, slices: int, aggregation: AggregationConfig) -> Self:
        return super().make(name, pair, 1, 1, aggregation)


class Sisa(Method):
    """Bourtoule et al. 2021, arXiv 1912.03817."""

    by_user: ClassVar[str] = "random-user+sisa"
    by_row: ClassVar[str] = "random+sisa"


class GraphEraser(Method):
    """Chen et al. 2022, arXiv 2103.14991."""

    by_user: ClassVar[str] = "bekm+grapheraser"
    by_row: ClassVar[str] = "bekm+grapheraser"


class RecEraser(Method):
    """Chen et al. 2022, arXiv 2201.06820."""

    by_user: ClassVar[str] = "ubp+receraser"
    by_row: ClassVar[str] = "inbp+receraser"


class ApaD(Method):
    """Hu et al. 2024, arXiv 2404.10327, factors mixed."""

    by_user: ClassVar[str] = "semantic-user+apa-d"
    by_row: ClassVar[str] = "semantic+apa-d"


class ApaNd(Method):
    """Hu et al. 2024, arXiv 2404.10327, products mixed."""

    by_user: ClassVar[str] = "semantic-user+apa-nd"
    by_row: ClassVar[str] = "semantic+apa-nd"


class ApaUser(Method):
    """The same, sorted by users whatever is deleted."""

    by_user: ClassVar[str] = "semantic-user+apa-nd"
    by_row: ClassVar[str] = "semantic-user+apa-nd"


class Strict(Method):
    """The design, section 1: a shard depends on public things and on who or what is sorted alone."""

    by_user: ClassVar[str] = "public+apa-nd"
    by_row: ClassVar[str] = "public-row+apa-nd"


class StrictHash(Method):
    """The same, by a keyed hash."""

    by_user: ClassVar[str] = "hash+apa-nd"
    by_row: ClassVar[str] = "hash-row+apa-nd"
