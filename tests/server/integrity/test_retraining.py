"""After an erasure every figure that a run shows is of the data that is left."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fedrec.config import load
from fedrec.data.dataset import TEST
from fedrec.data.selection import Selection
from fedrec.data.trivial import trivial_auc
from fedrec.metrics import auc
from fedrec.reporting.run_page import render
from server.integrity.retraining import with_retraining
from server.prepare import prepare
from server.results import write_page, write_result
from server.rounds import Entry
from server.simulated_run import SimulatedRun
from tests.conftest import Settings
from tests.server.test_federated_executor import asked, execution, trained, without


def forget(run: SimulatedRun, selection: Selection) -> None:
    asked(run, selection)
    (outcome,) = execution(run).run()
    assert outcome["state"] == "closed", outcome["reason"]


def earlier(run: SimulatedRun) -> list[dict[str, object]]:
    return [{key: entry[key] for key in ("clients", "overall")} for entry in run.result["history"][:-1]]


@pytest.mark.parametrize("strategy", ["pplr", "central"])
def test_what_is_shown_is_what_a_run_without_them_would_show(
    tmp_path: Path, small: Settings, ratings: Path, strategy: str
) -> None:
    settings = small(shards=2, strategy=strategy, train__epochs=1)
    run = trained(tmp_path / "run", settings)
    before = run.result
    assert all(entry["overall"] for entry in earlier(run))
    forget(run, Selection(users=("u07",)))
    never = prepare(load(overrides={**settings, "data.path": without(ratings, tmp_path, {"u07"})}), tmp_path / "never")
    result, expected = run.result, never.reference
    facts = [{key: client[key] for key in ("id", "users", "train_rows")} for client in result["clients"]]
    assert facts == [vars(fact) for fact in expected.clients] and facts != before["clients"]
    assert result["trivial"] == expected.trivial != before["trivial"]
    test = never.interactions().split == TEST
    assert result["overall"]["examples"] == sum(client["examples"] for client in result["clients"]) == test.sum()
    assert earlier(run) == [{"clients": [], "overall": {}}] * 2
    assert {entry[key] for entry in result["history"][:-1] for key in ("bytes_up", "bytes_down")} == {0}
    assert any("left out" in note for note in result["notes"])
    assert "u07" not in json.dumps(result)
    page = render(result)
    assert "left out" in page
    write_result(run)  # and a page that is written again says the same
    write_page(run)
    assert run.result == result


def test_the_best_possible_is_that_of_the_rows_that_are_left(tmp_path: Path, small: Settings) -> None:
    world = {"data.world.users": 24, "data.world.items": 60, "data.world.rows": 12}
    nowhere = {"data.path": None, "data.like_above": None}
    run = trained(tmp_path / "run", {**small(train__epochs=1), **nowhere, **world})
    before = run.result
    rows = run.interactions()
    gone = Selection(users=(rows.user_ids[3],))
    test = rows.split == TEST
    left = ~gone.mask(rows, run.catalogue) & test
    assert rows.truth is not None
    assert before["best_possible_auc"] == pytest.approx(auc(rows.truth[test], rows.label[test]))
    forget(run, gone)
    result = run.result
    assert result["best_possible_auc"] == auc(rows.truth[left], rows.label[left]) != before["best_possible_auc"]


def test_where_nothing_was_found_every_figure_stays(tmp_path: Path, small: Settings) -> None:
    run = trained(tmp_path / "run", small(train__epochs=1))
    before = run.result
    forget(run, Selection(since=10**10))
    assert run.result == before


def test_a_client_of_whom_nobody_is_left_has_nobody(tmp_path: Path, small: Settings) -> None:
    run = trained(tmp_path / "run", small(train__epochs=1))
    asked(run, Selection(everything=True), client="client-1")
    execution(run).run()
    result = run.result
    counts = {client["id"]: (client["users"], client["train_rows"], client["examples"]) for client in result["clients"]}
    assert counts["client-1"] == (0, 0, 0) and all(min(rest) > 0 for name, rest in counts.items() if name != "client-1")
    rows = run.interactions()
    expected = trivial_auc(rows, rows.split == TEST)
    assert {name: result["trivial"][name] for name in expected} == pytest.approx(expected)
    assert render(result)


def test_a_round_tells_of_the_retraining_where_there_was_one() -> None:
    """Whatever the strategy is that tells."""
    who = ["a", "b"]
    heating, trust = [[1, 2], [3, 4]], [[[1]], [[2]]]
    first = Entry(round=1, participants=who, train_loss={"a": 0.5}, aggregation={"heating": heating, "trust": trust})
    again = Entry(round=1, participants=who, train_loss={"a": 0.1}, aggregation={"heating": [[7, 8]], "trust": [[[9]]]})
    told = {"heating": [[1, 2], [7, 8]], "trust": [[[1]], [[9]]]}
    one = with_retraining(first, again, [1], 2)
    assert one == replace(first, train_loss=None, aggregation=told)  # the loss is a mean over both shards
    both = replace(again, aggregation={"heating": [[5, 6], [7, 8]], "trust": [[[0]], [[9]]]})
    assert with_retraining(first, both, [0, 1], 2) == both
    others = replace(again, participants=["a"])
    assert with_retraining(first, others, [1], 2) == replace(first, train_loss=None, aggregation={})
