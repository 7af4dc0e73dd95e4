"""What was measured of an erasure is judged anew, and how sure its figures are is told."""

from dataclasses import replace

import pytest

from tests.unlearning.certificates.made import BESIDE, GOOD, HEAD, approximate, failed, made, trusted
from unlearning.certificates.certificate import NOT_MEASURED
from unlearning.certificates.claims import approximately
from unlearning.certificates.documents import page, reply
from unlearning.certificates.verify import verify_certificate
from unlearning.verification import Thresholds
from unlearning.verification import verdict as judged


@pytest.mark.parametrize("auc, why", [(0.05, "over-forgotten"), (0.95, "still remembered")])
def test_over_forgotten_and_still_remembered_fail(tmp_path, auc, why):
    measures = GOOD.model_copy(
        update={"membership_auc": auc, "membership_low": auc - 0.04, "membership_high": auc + 0.04}
    )
    path, bundle, signed = made(tmp_path, measures=measures)
    verdict = verify_certificate(path, bundle=bundle)
    assert signed.certificate.verdict == "FAIL"
    assert failed(verdict) == ["verdict", "verification"]
    assert why in next(check.why for check in verdict.checks if check.name == "verification")


def test_an_approximate_claim_needs_the_whole_interval(tmp_path):
    path, bundle, _ = made(tmp_path, **approximate(0.15))
    assert verify_certificate(path, bundle=bundle).intact
    path, bundle, _ = made(tmp_path, **approximate(0.12))
    assert failed(verify_certificate(path, bundle=bundle)) == ["verdict", "verification"]
    path, bundle, _ = made(tmp_path, **approximate(0.15, claim=approximately(0.12)))  # stronger than was verified
    assert failed(verify_certificate(path, bundle=bundle)) == ["agreement", "verification"]


def test_how_sure_the_figures_are_is_told_and_so_is_that_few_rows_show_nothing(tmp_path):
    few = GOOD.model_copy(update={"utility": 0.0, "utility_low": -0.35, "utility_high": 0.35, "membership_low": 0.2})
    path, bundle, signed = made(tmp_path, measures=few)
    (told,) = [check.why for check in verify_certificate(path, bundle=bundle).checks if check.name == "verification"]
    assert "95 % interval 0.200 to 0.630" in told and "an interval of ±0.21 cannot show 0.1" in told
    assert "95 % interval -0.350 to +0.350" in told and "an interval of ±0.35 cannot show 0.05" in told
    html = page(signed, replace(BESIDE, report=judged(few, Thresholds())))
    assert "interval of ±0.21 cannot show 0.1" in html and "interval of ±0.35 cannot show 0.05" in html
    many = GOOD.model_copy(update={"utility": 0.0, "utility_low": -0.01, "utility_high": 0.01, "membership_low": 0.5})
    assert "cannot show" not in " ".join(each.why for each in judged(many, Thresholds()).distances)


UNMEASURED = GOOD.model_copy(update={"membership_auc": None, "membership_low": None, "membership_high": None})


def test_what_nobody_could_measure_is_said_everywhere(tmp_path):
    path, bundle, signed = made(tmp_path, measures=UNMEASURED, not_measured=["membership inference"])
    found = verify_certificate(path, bundle=bundle, trusted=trusted(tmp_path))
    assert found.ok and [warning.split(":")[0] for warning in found.warnings] == ["membership inference"]
    assert NOT_MEASURED in page(signed, BESIDE) and "not shown" in page(signed, BESIDE)
    assert "There was too little to test" in reply(signed, HEAD)


@pytest.mark.parametrize(
    "options",
    [{"measures": UNMEASURED}, {"not_measured": ["membership inference"]}, {"not_measured": ["utility lost"]}],
)
def test_it_is_named_where_it_is_so_and_nowhere_else(tmp_path, options):
    path, bundle, _ = made(tmp_path, **options)
    assert failed(verify_certificate(path, bundle=bundle, trusted=trusted(tmp_path))) == ["verification"]
