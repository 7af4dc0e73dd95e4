"""Whether an erasure worked: measured distances against thresholds that were fixed before the run. Pure.

Every distance is zero at best and fails above its threshold. Membership is two-sided: a model to which forgotten rows
look *less* familiar than rows it never saw (AUC far below 0.5) is over-forgotten, betrays them as well, and fails too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from fedrec.settings import Section
from unlearning.audit.fields import Count, Line, Outcome

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Loss = Annotated[float, Field(ge=0, allow_inf_nan=False)]

MEMBERSHIP, UTILITY = "membership inference", "utility lost"
"""What only adapters that have changed can be measured by."""
RETRAINING = "distance to a model that was trained without the records"
"""What nobody knows of an approximate answer unless such a model is trained."""


_ROUNDED = 0.0151  # three figures, each rounded to hundredths


class Thresholds(Section):
    """Stored with the plan before the run. What is counted (traces, faulty adapters, unequal hashes) may never occur.

    Attributes:
        membership: how far the AUC of membership inference may lie from the reference.
        membership_end: which end of a 95 % interval is meant, of `utility` too. `near`: the interval must come that
            close, so that chance among few rows does not fail; enough where shards were retrained without the rows,
            which is proof by itself. `far`: the whole interval must be that close, which is what an approximate claim
            has to show.
        utility: the loss of AUC on retained rows that is allowed.
        distribution: Kolmogorov-Smirnov distance to the reference's scores of the forgotten rows.
    """

    membership: float = Field(0.1, gt=0)
    membership_end: Literal["near", "far"] = "near"
    utility: float = Field(0.05, gt=0)
    distribution: float = Field(0.2, gt=0)


class BeforeAfter(Section):
    """Figures of an approximate answer beside those of the adapters that it began with, all of them rounded.

    Attributes:
        membership_auc, membership_low, membership_high: of the adapters that had learned from the rows, as `Measures`
            has them of the answer.
        auc: on the same test rows, before and after; None where they cannot be ranked.
        erased_loss, unseen_loss: mean loss in nats of erased rows, and of rows never learned from, before and after.
    """

    membership_auc: Probability
    membership_low: Probability
    membership_high: Probability
    auc: tuple[Probability, Probability] | None
    erased_loss: tuple[Loss, Loss]
    unseen_loss: tuple[Loss, Loss]


class Measures(Section):
    """What was measured after the erasure. None: not measured, and not judged.

    Attributes:
        membership_auc, membership_low, membership_high: `membership_auc` of forgotten rows against rows never seen.
        membership_reference: that AUC for a model retrained without the rows; 0.5 where there is none.
        utility, utility_low, utility_high: AUC on retained rows after the erasure minus before (or minus that of the
            reference), and its interval.
        distribution: Kolmogorov-Smirnov distance (`scipy.stats.ks_2samp`) of the forgotten rows' scores by this model
            and by the reference.
        traces: places where something of what was erased is still found.
        adapters_not_finite, adapters_untrained: see `adapter_faults`.
        unanswered: clients that kept erased rows to answer for, and did not.
        unequal_adapters: adapters whose hash differs from that of a run that never had the rows.
        adapters_unchanged: adapters of shards that had learned from the rows, where every one is as it was.
        approximate: of an approximate answer, what it began with and came to.
    """

    membership_auc: Probability | None = None
    membership_low: Probability | None = None
    membership_high: Probability | None = None
    membership_reference: Probability = 0.5
    utility: float | None = Field(None, allow_inf_nan=False)
    utility_low: float | None = Field(None, allow_inf_nan=False)
    utility_high: float | None = Field(None, allow_inf_nan=False)
    distribution: Probability | None = None
    traces: Count
    adapters_not_finite: Count
    adapters_untrained: Count
    unequal_adapters: Count | None = None
    unanswered: tuple[Line, ...] = ()
    adapters_unchanged: Count | None = None
    approximate: BeforeAfter | None = None

    @field_validator("*")
    @classmethod
    def _as_canonical_json_has_it(cls, value: Any) -> Any:
        """There nothing is below zero and zero: a loss of -0.004 is rounded to -0.0, which would be read back as 0."""
        return value + 0.0 if isinstance(value, float) else value


class Distance(Section):
    """One measure against its threshold.

    Attributes:
        multiple: value / threshold; None where the threshold is zero.
    """

    name: str
    value: float
    threshold: float
    multiple: float | None
    ok: bool
    why: str


class Report(Section):
    """What was measured, what was allowed, how far off each is, and the verdict that follows."""

    measures: Measures
    thresholds: Thresholds
    distances: tuple[Distance, ...]
    verdict: Outcome


def verdict(measures: Measures, thresholds: Thresholds) -> Report:
    """PASS where every measured distance is within its threshold.

    An approximate claim (`membership_end` = far) without a measured AUC has shown nothing, and fails.
    """
    distances = (
        *_membership(measures, thresholds),
        *_utility(measures, thresholds),
        *_measured("scores to the reference's", measures.distribution, thresholds.distribution),
        *_measured("traces found", measures.traces),
        *_measured("adapters not finite", measures.adapters_not_finite),
        *_measured("adapters untrained", measures.adapters_untrained),
        *_measured("adapters unlike the re-derived", measures.unequal_adapters),
        *_measured("adapters as they were", measures.adapters_unchanged),
    )
    passed = all(distance.ok for distance in distances)
    return Report(measures=measures, thresholds=thresholds, distances=distances, verdict="PASS" if passed else "FAIL")


def unmeasured(measures: Measures) -> tuple[str, ...]:
    """What was not measured of adapters that have changed, by the name of its distance."""
    told = {MEMBERSHIP: measures.membership_auc, UTILITY: measures.utility}
    if measures.approximate is not None:
        told |= {RETRAINING: measures.distribution}
    return tuple(name for name, value in told.items() if value is None)


def disagreement(measures: Measures) -> str:
    """What of an approximate answer's figures does not follow from the others; empty where all does."""
    found = measures.approximate
    if found is None:
        return ""
    if not found.membership_low <= found.membership_auc <= found.membership_high:
        return "the membership inference before is not within its interval"
    if (found.auc is None) != (measures.utility is None):
        return "the AUC before and after and the change of it are not both there"
    if found.auc is not None and measures.utility is not None:
        change = found.auc[1] - found.auc[0]
        if abs(change - measures.utility) > _ROUNDED:
            return f"the AUC changed by {change:+.2f}, and the change is told as {measures.utility:+.2f}"
    return ""


def told(found: BeforeAfter) -> str:
    """What an approximate answer came from and to, in one line."""
    line = (
        f"membership inference before {found.membership_auc:.2f} ({found.membership_low:.2f} to "
        f"{found.membership_high:.2f}); loss of erased records {found.erased_loss[0]:.2f}, then "
        f"{found.erased_loss[1]:.2f}; of unseen ones {found.unseen_loss[0]:.2f}, then {found.unseen_loss[1]:.2f}"
    )
    return line if found.auc is None else f"{line}; AUC {found.auc[0]:.2f}, then {found.auc[1]:.2f}"


def adapter_faults(adapters: Iterable[Mapping[str, NDArray[Any]]]) -> tuple[int, int]:
    """How many adapters hold a value that is not finite, and how many have a `lora_B` of zeros, which is no training.

    Args:
        adapters: each a mapping of PEFT's tensor names to arrays.
    """
    not_finite = untrained = 0
    for tensors in adapters:
        not_finite += not all(np.isfinite(tensor).all() for tensor in tensors.values())
        untrained += not all(tensor.any() for name, tensor in tensors.items() if "lora_B" in name)
    return not_finite, untrained


def _membership(measures: Measures, thresholds: Thresholds) -> tuple[Distance, ...]:
    value, low, high = measures.membership_auc, measures.membership_low, measures.membership_high
    reference, limit, near = measures.membership_reference, thresholds.membership, thresholds.membership_end == "near"
    if measures.unanswered:
        why = f"{', '.join(measures.unanswered)} kept erased rows to answer for, and did not answer"
        return (_distance(MEMBERSHIP, 1, limit, why, ok=False),)
    if value is None or low is None or high is None:
        why = "not measured, so nothing is shown"
        return () if near else (_distance(MEMBERSHIP, 1, limit, why, ok=False),)
    ends = (low - reference, reference - high) if near else (high - reference, reference - low)
    distance = max(*ends, 0.0)
    ok = distance <= limit
    found = f"AUC {value:.3f}, 95 % interval {low:.3f} to {high:.3f}, reference {reference:.3f}"
    side = "" if ok else (": still remembered" if value > reference else ": over-forgotten")
    return (_distance(MEMBERSHIP, distance, limit, found + side + _too_wide(low, high, limit), ok),)


def _utility(measures: Measures, thresholds: Thresholds) -> tuple[Distance, ...]:
    """What was lost, at the end of its interval that the thresholds mean, if there is one."""
    change, low, high = measures.utility, measures.utility_low, measures.utility_high
    end = high if thresholds.membership_end == "near" else low
    worst = change if end is None else end
    lost, limit = None if worst is None else max(0.0, -worst), thresholds.utility
    if lost is None or change is None or low is None or high is None:
        return _measured(UTILITY, lost, limit)
    counted = f"{lost:g} of a loss is beyond chance, allowed {limit:g}"
    why = f"AUC {change:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}: {counted}"
    return (_distance(UTILITY, lost, limit, why + _too_wide(low, high, limit)),)


def _measured(name: str, value: float | None, threshold: float = 0.0) -> tuple[Distance, ...]:
    return () if value is None else (_distance(name, value, threshold, f"{value:g}, allowed {threshold:g}"),)


def _distance(name: str, value: float, threshold: float, why: str, ok: bool | None = None) -> Distance:
    multiple, within = value / threshold if threshold else None, value <= threshold if ok is None else ok
    return Distance(name=name, value=value, threshold=threshold, multiple=multiple, ok=within, why=why)


def _too_wide(low: float, high: float, limit: float) -> str:
    """Where so few rows show nothing: their interval is wider than the limit."""
    half = (high - low) / 2
    return f"; too few rows: an interval of ±{half:.2f} cannot show {limit:g}" if half > limit else ""
