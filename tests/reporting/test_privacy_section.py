"""What a page and a terminal say of privacy: no more than the ledgers bear."""

from __future__ import annotations

from typing import Any

from fedrec.privacy_settings import EVERY, WHOLE
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


def test_a_promise_to_clients_names_the_server_and_what_all_shards_cost_together() -> None:
    spent = {EVERY: {"0": 3.0, "1": 2.0}, WHOLE: {"all": 4.25}}
    result = make_result(privacy=TOLD | {"unit": "client", "clip_quantile": 0.5, "spent": spent})
    page = render(result)
    assert "nobody but the server can tell whether a client&#39;s update of a shard was in their mean" in page
    assert "epsilon = 3 at delta = 1e-05 (4.25 for all its shards together)" in page
    assert "3.0000, 2.0000" in page and "the server, which sees every client&#39;s update as it is" in page
    assert "gradient was cut" not in page and "quantile that it follows" in page
    assert "(4.25 for all its shards together) of 8" in str(privacy_line(result))
