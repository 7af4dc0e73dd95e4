"""The verdict and its measures: two-sided, honest about few rows, and by the thresholds alone."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fedrec.intervals import auc_change
from fedrec.privacy.attacks.membership import membership_auc
from fedrec.privacy.coarsening import coarse_change
from unlearning.audit.canonical import canonical, parse
from unlearning.verification import (
    Measures,
    Report,
    Thresholds,
    adapter_faults,
    verdict,
)

CLEAN = {"traces": 0, "adapters_not_finite": 0, "adapters_untrained": 0}
SCORES = st.lists(st.integers(0, 6).map(float), min_size=1, max_size=8).map(np.array)


def judged(auc, low, high, reference=0.5, **thresholds):
    measures = Measures(
        membership_auc=auc, membership_low=low, membership_high=high, membership_reference=reference, **CLEAN
    )
    return verdict(measures, Thresholds(**thresholds))


@settings(max_examples=40, deadline=None)
@given(SCORES, SCORES)
def test_membership_is_two_sided(forgotten, unseen):
    """Exchanging the groups mirrors AUC and interval at 1/2, and the verdict is the same."""
    auc, low, high = membership_auc(forgotten, unseen)
    assert 0 <= low <= auc <= high <= 1
    assert auc == pytest.approx(np.mean(np.sign(forgotten[:, None] - unseen) / 2 + 0.5))
    mirrored = membership_auc(unseen, forgotten)
    assert mirrored == pytest.approx((1 - auc, 1 - high, 1 - low))
    assert judged(auc, low, high).verdict == judged(*mirrored).verdict


@pytest.mark.parametrize("auc, passes", [(0.02, False), (0.5, True), (0.98, False)])
def test_over_forgotten_fails_like_remembered(auc, passes):
    report = judged(auc, auc - 0.02, auc + 0.02)
    assert (report.verdict == "PASS") == passes
    assert ("over-forgotten" in report.distances[0].why) == (auc < 0.4)


def test_the_reference_is_what_counts():
    assert judged(0.7, 0.68, 0.72, reference=0.7).verdict == "PASS"
    assert judged(0.5, 0.48, 0.52, reference=0.7).verdict == "FAIL"


def test_the_far_end_must_be_shown():
    assert judged(0.5, 0.3, 0.7).verdict == "PASS"
    assert judged(0.5, 0.3, 0.7, membership_end="far").verdict == "FAIL"
    assert verdict(Measures(**CLEAN), Thresholds()).verdict == "PASS"
    assert verdict(Measures(**CLEAN), Thresholds(membership_end="far")).verdict == "FAIL"


@pytest.mark.parametrize(
    "measured",
    [{"traces": 1}, {"adapters_not_finite": 1}, {"adapters_untrained": 1}, {"unequal_adapters": 1}, {"utility": -0.06},
     {"distribution": 0.3}],
)  # fmt: skip
def test_each_measure_alone_can_fail(measured):
    report = verdict(Measures(**{**CLEAN, **measured}), Thresholds())
    assert report.verdict == "FAIL"
    assert [distance.ok for distance in report.distances].count(False) == 1


def test_a_distance_is_a_multiple_of_its_threshold():
    report = verdict(Measures(utility=-0.02, distribution=0.1, **CLEAN), Thresholds(utility=0.04, distribution=0.4))
    assert [distance.multiple for distance in report.distances] == [0.5, 0.25, None, None, None]
    assert verdict(Measures(utility=0.3, **CLEAN), Thresholds()).verdict == "PASS"  # a gain is no loss


def test_few_rows_lose_utility_by_chance_and_many_do_not() -> None:
    for rows, outcome in ((3, "PASS"), (3000, "FAIL")):
        change, low, high = auc_change(0.8, 0.65, rows, rows)
        measures = Measures(utility=change, utility_low=low, utility_high=high, **CLEAN)
        assert verdict(measures, Thresholds()).verdict == outcome


@pytest.mark.parametrize("field", ["utility", "membership_auc", "distribution"])
def test_nan_is_no_measure(field):
    with pytest.raises(ValidationError):
        Measures(**CLEAN, **{field: math.nan})


def test_adapter_faults():
    def adapter(a, b):
        return {"layer.lora_A": np.array([a]), "layer.lora_B": np.array([b])}

    adapters = [adapter(1.0, 2.0), adapter(0.0, 2.0), adapter(1.0, 0.0), adapter(math.nan, 1.0), adapter(1.0, math.inf)]
    assert adapter_faults(adapters) == (2, 1)


@given(st.floats(-0.02, 0.02), st.floats(-0.02, 0.02), st.integers(1, 500), st.integers(1, 500))
def test_the_verdict_on_a_report_as_it_is_kept_is_the_one_that_is_kept(before, change, m, n):
    """A change that is rounded to minus zero is read back as zero, and its sign is shown."""
    utility, low, high = coarse_change(0.5 + before, 0.5 + before + change, m, n)
    report = verdict(Measures(**CLEAN, utility=utility, utility_low=low, utility_high=high), Thresholds())
    kept = Report.model_validate(parse(canonical(report.model_dump(mode="json"))))
    assert verdict(kept.measures, kept.thresholds) == kept
