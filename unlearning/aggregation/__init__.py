"""Aggregators: how the K shards' adapters come to one answer, as a table of weights and the form they are used in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unlearning.aggregation.adaptive import adaptive, major
from unlearning.aggregation.combine import Form, combine
from unlearning.aggregation.evidence import Evidence
from unlearning.aggregation.grapheraser import lb_aggr
from unlearning.aggregation.receraser import attention
from unlearning.aggregation.settings import AggregationConfig
from unlearning.aggregation.simple import average, semantic
from unlearning.aggregation.timelines import row_weights_to_windows

__all__ = [
    "AGGREGATORS",
    "AggregationConfig",
    "Aggregator",
    "Evidence",
    "Form",
    "combine",
    "row_weights_to_windows",
]


@dataclass(frozen=True)
class Aggregator:
    """A way to weigh K shards.

    Attributes:
        name: its key in `AGGREGATORS`.
        form: what the weights are for.
        learned: it is trained on the validation rows, so a deletion trains it again, at a cost that counts.
        source: paper and part.
        shares: (evidence, settings, seed) to (n, K), rows summing to 1.
    """

    name: str
    form: Form
    learned: bool
    source: str
    shares: Callable[[Evidence, AggregationConfig, int], NDArray[np.float64]]

    def weigh(self, evidence: Evidence, settings: AggregationConfig, seed: int) -> NDArray[np.float64]:
        """(n, K) weights >= 0: rows sum to `settings.scale` where adapters are mixed, to 1 where outputs are.

        Raises:
            FedrecError: the validation rows it needs are missing.
        """
        scale = settings.scale if self.form in ("ND", "D") else 1.0
        return scale * self.shares(evidence, settings, seed)


_APA = "Hu et al., arXiv 2404.10327"
_SISA = "Bourtoule et al., arXiv 1912.03817"

AGGREGATORS: dict[str, Aggregator] = {
    aggregator.name: aggregator
    for aggregator in (
        Aggregator("apa-d", "D", False, f"{_APA}, factors mixed", lambda e, s, _: adaptive(e, s)),
        Aggregator("apa-nd", "ND", False, f"{_APA}, products mixed", lambda e, s, _: adaptive(e, s)),
        Aggregator("average-d", "D", False, f"{_APA}, ablation", lambda e, s, _: average(e)),
        Aggregator("average-nd", "ND", False, f"{_APA}, ablation", lambda e, s, _: average(e)),
        Aggregator("major-d", "D", False, f"{_APA}, ablation", lambda e, s, _: major(e, s)),
        Aggregator("major-nd", "ND", False, f"{_APA}, ablation", lambda e, s, _: major(e, s)),
        Aggregator("semantic-nd", "ND", False, f"{_APA}, ablation", lambda e, s, _: semantic(e, s)),
        Aggregator("sisa", "probability", False, f"{_SISA}, mean", lambda e, s, _: average(e)),
        Aggregator("sisa-logit", "logit", False, f"{_SISA}, mean of logits", lambda e, s, _: average(e)),
        Aggregator("vote", "vote", False, f"{_SISA}, majority vote", lambda e, s, _: average(e)),
        Aggregator(
            "receraser",
            "logit",
            True,
            "Chen et al., arXiv 2201.06820, attention",
            lambda e, s, seed: attention(e, seed),
        ),
        Aggregator(
            "grapheraser",
            "probability",
            True,
            "Chen et al., arXiv 2103.14991, LBAggr",
            lambda e, s, _: lb_aggr(e),
        ),
    )
}
