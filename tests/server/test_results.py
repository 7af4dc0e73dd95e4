"""What clients say they measured: good metrics pass as they are, and each bad one is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fedrec.metrics import measure
from fedrec.privacy.disclosure import ScoredRows, SharedScores, histogram
from fedrec.protocol.answers import EvaluateAnswer, Measures
from fedrec.protocol.record import BadMessage
from fedrec.tasks.like import Like
from server.results import checked

GOOD = {"examples": 7, "auc": 0.5, "uauc": float("nan"), "uauc_at_split": 0.5, "logloss": 0.7, "ranked": 2}
GOOD |= {"uauc_margin": float("nan"), "uauc_at_split_margin": 0.3}


def answer(**changes: Any) -> EvaluateAnswer:
    measures = Measures(**{**GOOD, **changes})
    return EvaluateAnswer(client="c-1", round=3, served="hash", metrics={"c-1": measures, "c-2": measures})


def test_good_metrics_pass_for_the_groups_that_were_asked_for() -> None:
    assert repr(checked(answer(), 3, ["c-1"], Like())) == repr({"c-1": GOOD})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"examples": -1}, "c-1/examples is no number of rows"),
        ({"examples": 2**48}, "c-1/examples is no number of rows"),
        ({"auc": 1.1}, "c-1/auc is no number within 0 and 1"),
        ({"uauc": -0.1}, "c-1/uauc is no number within 0 and 1"),
        ({"uauc_at_split": 1.1}, "c-1/uauc_at_split is no number within 0 and 1"),
        ({"uauc_margin": 1.1}, "c-1/uauc_margin is no number within 0 and 1"),
        ({"ranked": 8}, "c-1/ranked is no number of people with such rows"),
        ({"logloss": float("inf")}, "c-1/logloss is no number within 0 and 100"),
    ],
)
def test_each_bad_metric_is_named(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadMessage) as bad:
        checked(answer(**changes), 3, ["c-1"], Like())
    assert str(bad.value) == reason


def test_another_round_and_a_group_that_is_missing_are_named() -> None:
    with pytest.raises(BadMessage, match="it answers another round than 4"):
        checked(answer(), 4, ["c-1"], Like())
    with pytest.raises(BadMessage, match="c-3/examples is no number of rows"):
        checked(answer(), 3, ["c-3"], Like())


ROWS = ScoredRows(
    scores=np.array([0.2, 0.7, 0.4, 0.9]),
    labels=np.array([0, 1, 1, 0], np.int8),
    people=np.array([1, 1, 2, 2]),
    at_split=np.array([0.1, 0.2, np.nan, np.nan]),
)


def of_rows(scores: SharedScores, **changes: Any) -> EvaluateAnswer:
    metrics = measure(ROWS.scores, ROWS.labels, ROWS.people, ROWS.at_split).as_dict()
    return EvaluateAnswer(
        client="c-1", round=3, served="hash", metrics={"c-1": Measures(**{**metrics, **changes})}, scores=scores
    )


@pytest.mark.parametrize("scores", [ROWS, histogram(ROWS), None])
def test_scores_that_give_the_metrics_pass(scores: SharedScores) -> None:
    checked(of_rows(scores), 3, ["c-1"], Like())


@pytest.mark.parametrize("scores", [ROWS, histogram(ROWS)])
@pytest.mark.parametrize("name", ["auc", "logloss"])
def test_a_client_whose_scores_do_not_give_its_metrics_is_found_out(scores: SharedScores, name: str) -> None:
    for wrong in (float("nan"), 0.99):
        with pytest.raises(BadMessage, match=f"its scores give {name} .*, and it says"):
            checked(of_rows(scores, **{name: wrong}), 3, ["c-1"], Like())


@pytest.mark.parametrize("name", ["uauc", "uauc_at_split"])
def test_a_client_whose_scores_rank_people_otherwise_is_found_out(name: str) -> None:
    with pytest.raises(BadMessage, match=f"its scores give {name} .*, and it says"):
        checked(of_rows(ROWS, **{name: 0.25}), 3, ["c-1"], Like())


@pytest.mark.parametrize("scores", [ROWS, histogram(ROWS)])
def test_scores_of_other_rows_than_the_metrics_are_found_out(scores: SharedScores) -> None:
    with pytest.raises(BadMessage, match="it tells scores of 4 rows, and metrics of 5"):
        checked(of_rows(scores, examples=5), 3, ["c-1"], Like())
