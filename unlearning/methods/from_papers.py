"""The methods that papers propose, and the strict ones of fedrec, each a partition and an aggregator."""

from __future__ import annotations

from typing import Self

from fedrec.config import AggregationConfig
from unlearning.methods.method import Method


class Retraining(Method):
    """Everything anew, in one shard."""

    by_user, by_row = "hash+average-nd", "hash+average-nd"

    @classmethod
    def make(cls, name: str, pair: str, shards: int, slices: int, aggregation: AggregationConfig) -> Self:
        return super().make(name, pair, 1, 1, aggregation)


class Sisa(Method):
    """Bourtoule et al. 2021, arXiv 1912.03817."""

    by_user, by_row = "random-user+sisa", "random+sisa"


class GraphEraser(Method):
    """Chen et al. 2022, arXiv 2103.14991."""

    by_user, by_row = "bekm+grapheraser", "bekm+grapheraser"


class RecEraser(Method):
    """Chen et al. 2022, arXiv 2201.06820."""

    by_user, by_row = "ubp+receraser", "inbp+receraser"


class ApaD(Method):
    """Hu et al. 2024, arXiv 2404.10327, factors mixed."""

    by_user, by_row = "semantic-user+apa-d", "semantic+apa-d"


class ApaNd(Method):
    """Hu et al. 2024, arXiv 2404.10327, products mixed."""

    by_user, by_row = "semantic-user+apa-nd", "semantic+apa-nd"


class ApaUser(Method):
    """The same, sorted by users whatever is deleted."""

    by_user, by_row = "semantic-user+apa-nd", "semantic-user+apa-nd"


class Strict(Method):
    """A shard depends on public things and on who or what is sorted alone."""

    by_user, by_row = "public+apa-nd", "public-row+apa-nd"


class StrictHash(Method):
    """The same, by a keyed hash."""

    by_user, by_row = "hash+apa-nd", "hash-row+apa-nd"
