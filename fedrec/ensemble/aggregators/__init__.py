"""Aggregators: how the K shards' adapters come to one answer, as a table of weights and the form they are used in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedrec.config import AggregationConfig
from fedrec.ensemble.aggregators.adaptive import adaptive, major
from fedrec.ensemble.aggregators.combine import Form
from fedrec.ensemble.aggregators.grapheraser import lb_aggr
from fedrec.ensemble.aggregators.judged import Judged
from fedrec.ensemble.aggregators.receraser import attention
from fedrec.ensemble.aggregators.simple import average, semantic
from fedrec.ensemble.aggregators.weights import Weigher


@dataclass(frozen=True)
class Aggregator:
    """A way to weigh K shards.

    Attributes:
        name: its key in `AGGREGATORS`.
        form: what the weights are for.
        judges: it looks at validation rows and vectors; otherwise the weights are equal.
        learned: it is trained on the validation rows, so a deletion trains it again, at a cost that counts.
        source: paper and part.
        shares: from judged rows, settings and seed to what weighs rows, to a sum of 1.
    """

    name: str
    form: Form
    judges: bool
    learned: bool
    source: str
    shares: Callable[[Judged, AggregationConfig, int], Weigher]

    def prepare(self, judged: Judged, settings: AggregationConfig, seed: int) -> Weigher:
        """What weighs rows: weights >= 0 that sum to `settings.scale` where adapters are mixed, to 1 where outputs are.

        Raises:
            FedrecError: the validation rows it needs are missing.
        """
        scale = settings.scale if self.form in ("ND", "D") else 1.0
        shares = self.shares(judged, settings, seed)
        return lambda vectors: scale * shares(vectors)


def _each(
    shares: Callable[[Judged, NDArray[np.float32], AggregationConfig], NDArray[np.float64]],
) -> Callable[[Judged, AggregationConfig, int], Weigher]:
    """An aggregator that learns nothing: every row is weighed by itself."""
    return lambda judged, settings, _: lambda vectors: shares(judged, vectors, settings)


_APA = "Hu et al., arXiv 2404.10327"
_SISA = "Bourtoule et al., arXiv 1912.03817"
_RECERASER = "Chen et al., arXiv 2201.06820"
_GRAPHERASER = "Chen et al., arXiv 2103.14991"

_adaptive, _major, _semantic, _equal = map(_each, (adaptive, major, semantic, average))

AGGREGATORS: dict[str, Aggregator] = {
    aggregator.name: aggregator
    for aggregator in (
        Aggregator("apa-d", "D", True, False, f"{_APA}, factors mixed", _adaptive),
        Aggregator("apa-nd", "ND", True, False, f"{_APA}, products mixed", _adaptive),
        Aggregator("average-d", "D", False, False, f"{_APA}, ablation", _equal),
        Aggregator("average-nd", "ND", False, False, f"{_APA}, ablation", _equal),
        Aggregator("major-d", "D", True, False, f"{_APA}, ablation", _major),
        Aggregator("major-nd", "ND", True, False, f"{_APA}, ablation", _major),
        Aggregator("semantic-nd", "ND", True, False, f"{_APA}, ablation", _semantic),
        Aggregator("sisa", "probability", False, False, f"{_SISA}, mean", _equal),
        Aggregator("sisa-logit", "logit", False, False, f"{_SISA}, mean of logits", _equal),
        Aggregator("vote", "vote", False, False, f"{_SISA}, majority vote", _equal),
        Aggregator("receraser", "logit", True, True, f"{_RECERASER}, attention", lambda j, _, seed: attention(j, seed)),
        Aggregator("grapheraser", "probability", True, True, f"{_GRAPHERASER}, LBAggr", lambda j, _, __: lb_aggr(j)),
    )
}


def equal_in(form: Form) -> Aggregator:
    """The aggregator of a form that judges nothing and counts all shards equally."""
    return next(each for each in AGGREGATORS.values() if each.form == form and not each.judges)
