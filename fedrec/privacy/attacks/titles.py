"""Which titles a client's people met: how well a score of each title tells those they have from the rest.

Of K clients and n titles, each client's titles are ranked by a score. AUC and R-precision (of as many of the best
titles as were met, the part that was) are means over clients. Pure functions on arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedrec.metrics import Scores, mean

_DRAWS, _SEED = 200, 0


@dataclass(frozen=True)
class TitlesFound:
    """With 95 % intervals by the percentiles of a bootstrap over clients and titles.

    Attributes:
        met: share of the titles that were met, which is the precision of whoever guesses.
    """

    auc: float
    auc_low: float
    auc_high: float
    precision: float
    precision_low: float
    precision_high: float
    met: float


def titles_found(scores: Scores, met: NDArray[np.bool_]) -> TitlesFound:
    """NaN where no client has met some titles, and not others.

    Args:
        scores: (K, n), higher = more like a title that was met.
        met: (K, n).
    """
    use = met.any(1) & ~met.all(1)
    if not use.any():
        return TitlesFound(*[float("nan")] * 7)
    random = np.random.default_rng(_SEED)
    ranked = [_Ranked(each, seen, random) for each, seen in zip(scores[use], met[use], strict=True)]
    ones = np.ones(scores.shape[1])
    found = _mean(ranked, ones)
    drawn = []
    for _ in range(_DRAWS):
        chosen = random.integers(len(ranked), size=len(ranked))
        times = np.bincount(random.integers(len(ones), size=len(ones)), minlength=len(ones))
        drawn.append(_mean([ranked[k] for k in chosen], times))
    low, high = np.nanpercentile(np.array(drawn), (2.5, 97.5), axis=0)
    return TitlesFound(
        auc=found[0], auc_low=float(low[0]), auc_high=float(high[0]),
        precision=found[1], precision_low=float(low[1]), precision_high=float(high[1]), met=float(met[use].mean()),
    )  # fmt: skip


class _Ranked:
    """A client's titles in order, so that each draw only counts; equal scores stand in a random order, once for all."""

    def __init__(self, scores: Scores, met: NDArray[np.bool_], random: np.random.Generator) -> None:
        shuffled = random.permutation(len(scores))
        self.falling = shuffled[np.argsort(-scores[shuffled], kind="stable")]
        self.level = np.unique(scores, return_inverse=True)[1].ravel()
        self.met = met

    def figures(self, times: NDArray[np.float64] | NDArray[np.intp]) -> tuple[float, float]:
        """AUC, ties counted half, and R-precision, of titles that count so many times each."""
        there, not_there = (np.bincount(self.level, times * mask) for mask in (self.met, ~self.met))
        pairs = there.sum() * not_there.sum()
        if not pairs:
            return float("nan"), float("nan")
        auc = float(there @ (np.cumsum(not_there) - not_there / 2) / pairs)
        weight, hit = times[self.falling], self.met[self.falling]
        room = there.sum()
        taken = np.clip(room - (np.cumsum(weight) - weight), 0, weight)
        return auc, float((taken * hit).sum() / room)


def _mean(ranked: list[_Ranked], times: NDArray[np.float64] | NDArray[np.intp]) -> tuple[float, float]:
    drawn = [each.figures(times) for each in ranked]
    known = [found for found in drawn if not np.isnan(found[0])]
    return (mean([auc for auc, _ in known]), mean([precision for _, precision in known]))
