"""What a page and a terminal say of privacy: no more than the ledgers bear."""

from __future__ import annotations

from typing import Any

from fedrec.reporting.privacy_section import privacy_line, promise_of
from fedrec.reporting.run_page import render
from tests.reporting.results import make_result

TOLD: dict[str, Any] = {
    "unit": "person", "epsilon": 8.0, "delta": 1e-5, "noise": 1.25, "clip": 1.0, "sample_rate": 0.1,
    "accountant": "rdp", "retrainings": 0, "spent": {"client-0": {"0": 7.5, "1": 3.25}, "<b>": {"0": 6.0}},
}  # fmt: skip


def test_the_largest_epsilon_is_the_promise() -> None:
    result = make_result(privacy=TOLD)
    page = render(result)
    assert "epsilon = 7.5 at delta = 1e-05" in page
    assert "7.5000, 3.2500" in page
    assert "&lt;b&gt;" in page
    assert "how many people and rows each client has" in page
    assert "same configuration on the same data" not in page
    assert "7.5 at delta = 1e-05 of 8" in str(privacy_line(result))


def test_a_step_without_noise_promises_nothing_whatever_the_others_had() -> None:
    result = make_result(privacy=TOLD | {"spent": {"client-0": {"0": 1.0}, "client-1": {"0": None}}})
    promise = promise_of(result)
    assert promise is not None
    assert promise.most is None
    assert "Nothing is promised" in str(privacy_line(result))
    assert "without bound" in render(result)


def test_a_run_without_privacy_says_so() -> None:
    for result in (make_result(), make_result(privacy=None)):
        assert privacy_line(result) is None
        assert "No differential privacy" in render(result)
