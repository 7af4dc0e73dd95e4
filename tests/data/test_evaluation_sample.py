"""Whose test rows are scored, and when: a sample of the people, the same for every strategy, round and client."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from fedrec.config import EvaluateConfig
from fedrec.data.dataset import TEST
from fedrec.data.evaluation_sample import evaluated, share_in_round, share_of_people
from fedrec.files import read_json
from fedrec.reporting.run_console import results_table
from tests.conftest import Settings
from tests.data.rows import interactions
from tests.server.test_federated_executor import trained


def test_a_share_is_of_people_whose_test_rows_are_taken_whole() -> None:
    user = np.repeat(np.arange(400), 5)
    rows = interactions(user, np.arange(len(user)), split=np.tile([0, 0, 0, TEST, TEST], 400).astype(np.int8))
    share = share_of_people(rows, EvaluateConfig(users=100))
    assert share == pytest.approx(0.25)
    chosen = evaluated(rows, share, 42)
    test = rows.split == TEST
    people = set(rows.user[chosen].tolist())
    assert 60 < len(people) < 140
    assert (chosen == (test & np.isin(rows.user, list(people)))).all()
    left = rows.take(rows.user != min(people))
    assert set(left.user[evaluated(left, share, 42)].tolist()) == people - {min(people)}
    assert (evaluated(rows, 1.0, 42) == test).all()
    assert share_of_people(rows, EvaluateConfig(users=0)) == share_of_people(rows, EvaluateConfig(users=500)) == 1


def test_rounds_between_measurements_are_not_measured() -> None:
    config = EvaluateConfig(every=3, last="everybody")
    assert [share_in_round(number, 7, 0.2, config) for number in range(8)] == [0.2, 0, 0, 0.2, 0, 0, 0.2, 1.0]


def test_every_strategy_measures_the_same_few_people(tmp_path: Path, small: Settings) -> None:
    few = small(evaluate__users=9)
    found = {name: trained(tmp_path / name, few | {"strategy": name}) for name in ("pplr", "central")}
    people = {
        name: {user for client in run.clients for user in run.client(client).ensemble.scores.read().users.tolist()}
        for name, run in found.items()
    }
    assert people["pplr"] == people["central"] and 1 < len(people["pplr"]) < 20
    results = {name: read_json(run.folder / "result.json") for name, run in found.items()}
    assert results["pplr"]["trivial"] == results["central"]["trivial"]
    assert results["pplr"]["measured"] == pytest.approx(9 / 24)


def test_a_sample_changes_what_is_measured_and_nothing_that_is_learned(tmp_path: Path, small: Settings) -> None:
    whole = trained(tmp_path / "whole", small(federation__rounds=3))
    some = trained(
        tmp_path / "some", small(federation__rounds=3, evaluate__users=9, evaluate__every=2, evaluate__last="everybody")
    )
    all_, part = (read_json(run.folder / "result.json") for run in (whole, some))
    assert all_["adapter_hash"] == part["adapter_hash"]
    assert [entry["share"] for entry in part["history"]] == [9 / 24, 0, 9 / 24, 1]
    assert part["history"][1]["overall"]["examples"] == 0
    assert math.isnan(part["history"][1]["overall"].get("auc") or math.nan)
    assert (part["overall"], part["trivial"]) == (all_["overall"], all_["trivial"])


def test_the_summary_says_that_a_sample_was_measured(tmp_path: Path, small: Settings) -> None:
    from rich.console import Console

    run = trained(tmp_path / "run", small(federation__rounds=0, evaluate__users=9))
    console = Console(record=True, width=200)
    console.print(results_table(read_json(run.folder / "result.json")))
    assert "measured on 38% of the people" in console.export_text()
    assert "38% of the people" in (run.folder / "report.html").read_text()
