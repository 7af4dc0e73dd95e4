"""What clients say they measured: good metrics pass as they are, and each bad one is named."""

from __future__ import annotations

from typing import Any

import pytest

from fedrec.protocol.answers import EvaluateAnswer, Measures
from fedrec.protocol.record import BadMessage
from server.results import checked

GOOD = {"examples": 7, "auc": 0.5, "uauc": float("nan"), "logloss": 0.7}


def answer(**changes: Any) -> EvaluateAnswer:
    measures = Measures(**{**GOOD, **changes})
    return EvaluateAnswer(client="c-1", round=3, served="hash", metrics={"c-1": measures, "c-2": measures})


def test_good_metrics_pass_for_the_groups_that_were_asked_for() -> None:
    assert repr(checked(answer(), 3, ["c-1"])) == repr({"c-1": GOOD})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"examples": -1}, "c-1/examples is no number of rows"),
        ({"examples": 2**48}, "c-1/examples is no number of rows"),
        ({"auc": 1.1}, "c-1/auc is no number within 0 and 1"),
        ({"uauc": -0.1}, "c-1/uauc is no number within 0 and 1"),
        ({"logloss": float("inf")}, "c-1/logloss is no number within 0 and 100"),
    ],
)
def test_each_bad_metric_is_named(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadMessage) as bad:
        checked(answer(**changes), 3, ["c-1"])
    assert str(bad.value) == reason


def test_another_round_and_a_group_that_is_missing_are_named() -> None:
    with pytest.raises(BadMessage, match="it answers another round than 4"):
        checked(answer(), 4, ["c-1"])
    with pytest.raises(BadMessage, match="c-3/examples is no number of rows"):
        checked(answer(), 3, ["c-3"])
