"""The methods of a comparison over its seeds: means, standard deviations, and costs beside those of full retraining.

    share of a cost = mean over seeds / mean over seeds of Retraining's

A mean is unknown (None) where the value of any seed is: means over different seeds are not comparable.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fedrec.registry import STRATEGIES
from fedrec.reporting.formatting import labels

EXACTNESS = {
    "strict": (
        "strict",
        "sorting what is left into shards anew, as if the deleted rows had never been there, gives the shards served.",
    ),
    "given-partition": (
        "given its partition",
        "the shards are trained without the deleted rows, but who is in which shard was chosen with them and is kept.",
    ),
    "no": ("no", "what is served differs from what training without the deleted rows gives."),
}
"""What a claim is called and what it says, from the strongest to the weakest."""

_FULL = {"rows_processed": "rows_full", "steps": "steps_full", "seconds": "seconds_full"}


_FEDERATED = ("strategy", "baselines", "clients", "federation", *STRATEGIES)


def without_federation(config: Mapping[str, Any], *more: str) -> dict[str, Any]:
    """The settings that shards trained in one place depend on, without `more` of them that are told elsewhere."""
    return {key: value for key, value in config.items() if key not in (*_FEDERATED, *more)}


@dataclass(frozen=True)
class Standing:
    """One method.

    Attributes:
        name: clean, and different from the others'.
        rows: one a seed, as `compare` gives them.
    """

    name: str
    rows: tuple[dict[str, Any], ...]

    def values(self, key: str) -> list[float]:
        """The known values, in the order of the seeds."""
        return [row[key] for row in self.rows if row[key] is not None]

    def mean(self, key: str) -> float | None:
        values = self.values(key)
        return statistics.fmean(values) if len(values) == len(self.rows) else None

    def std(self, key: str) -> float | None:
        """Of the sample, n - 1 degrees of freedom; None for one seed."""
        values = self.values(key)
        return statistics.stdev(values) if len(values) == len(self.rows) > 1 else None

    def share(self, cost: str) -> float | None:
        """Of what full retraining costs: of `rows_processed`, `steps` or `seconds`."""
        mine, full = self.mean(cost), self.mean(_FULL[cost])
        return mine / full if mine is not None and full else None

    @property
    def exact(self) -> str:
        """The weakest claim of any seed."""
        claims: list[str] = [row["exact"] for row in self.rows]
        return max(claims, key=list(EXACTNESS).index)


def standings(result: dict[str, Any]) -> list[Standing]:
    """The methods in the order they were run; the first is Retraining, which the others are measured against."""
    names = list(dict.fromkeys(row["name"] for row in result["methods"]))
    return [
        Standing(label, tuple(row for row in result["methods"] if row["name"] == name))
        for name, label in zip(names, labels(names, 26), strict=True)
    ]
