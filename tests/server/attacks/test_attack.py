"""`fedrec attack` on a small run: what is found, kept and shown, and that the run stays as it was."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from fedrec.config import parse
from fedrec.errors import FedrecError, UsageError
from fedrec.files import read_json, write_json
from server.attack_results import drop_outdated, found
from server.attacks.canaries import canaries
from server.attacks.row import row
from server.commands.attack import app
from server.simulated_run import SimulatedRun
from tests.conftest import TITLES, Settings
from tests.server.test_federated_executor import trained


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> SimulatedRun:
    """Of 18 people with 6 of 90 titles each, so that no client has met them all."""
    folder, random = tmp_path_factory.mktemp("attacked"), np.random.default_rng(5)
    lines = ["user,item,rating,timestamp,title"]
    for user in range(18):
        for when, item in enumerate(random.permutation(90)[:6]):
            title = f"{TITLES[item % len(TITLES)]} part {item}"
            lines.append(f"u{user},i{item},{random.integers(2) * 4 + 1},{1_500_000_000 + 100 * user + when},{title}")
    (folder / "ratings.csv").write_text("\n".join(lines) + "\n", "utf-8")
    settings = small(data__path=str(folder / "ratings.csv"), items__rank=4, federation__rounds=1)
    return trained(folder / "run", settings)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)


def figures(said: Result) -> dict[tuple[str, str], float]:
    return {(each["read"], each["measure"]): each["value"] for each in json.loads(said.stdout)["findings"]}


def contents(run: SimulatedRun) -> dict[str, str]:
    paths = [path for path in run.folder.rglob("*") if path.is_file() and path.suffix not in (".lock", ".html")]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if "attacks" not in path.parts}


def test_titles_are_read_off_what_is_sent_and_the_run_stays_as_it_was(run: SimulatedRun) -> None:
    before = contents(run)
    told = figures(call("titles", run.folder, "--json", "-"))
    assert told["answer counts beside the rows, as sent", "AUC"] == 1
    assert told["item rows, as sent", "AUC"] > 0.9
    assert ("layers alone, as published", "precision") in told
    assert contents(run) == before
    page = (run.folder / "report.html").read_text("utf-8")
    assert "Which titles a client" in page
    assert [report.attack for report in found(run)] == ["titles"]


def test_people_in_updates_and_in_what_is_released(run: SimulatedRun) -> None:
    before = contents(run)
    told = figures(call("people", run.folder, "--models", 4, "--json", "-"))
    assert set(told) == {
        (read, measure)
        for read in ("updates, by a threshold", "updates, by a likelihood ratio", "released adapters")
        for measure in ("AUC", "TPR at 1 % FPR")
    }
    assert told["updates, by a threshold", "AUC"] > 0.6  # item rows are made of the very answers
    assert contents(run) == before


def test_canaries_are_found_where_nothing_protects_them(run: SimulatedRun) -> None:
    before = contents(run)
    told = figures(call("canaries", run.folder, "--client", "client-1", "--canaries", 16, "--json", "-"))
    assert told["canaries' answers", "AUC"] > 0.9
    assert told["at least, by guesses about all trainings", "epsilon, delta 1e-05"] > 1
    assert contents(run) == before


def test_a_noised_training_hides_canaries_and_spends_nothing(run: SimulatedRun) -> None:
    noised = SimulatedRun(run.folder)
    promised = {"unit": "person", "noise": 2.0, "sample_rate": 0.5}
    settings = {**run.config.model_dump(), "strategy": "fedavg", "privacy": promised}
    private = parse(settings | {"items": {**settings["items"], "share": "none", "average": "all"}})
    client = noised.client("client-1")
    client.__dict__["config"] = private
    noised.__dict__["config"] = private
    noised.client = lambda name: client  # type: ignore[method-assign, assignment]
    report = canaries(noised, "client-1", 4, 8, None)
    told = {each.read: each.value for each in report.findings}
    assert told["at least, by guesses about all trainings"] <= told["what the accountant states"]
    assert "stands" in report.notes[-1]
    assert not client.ledger_path.exists()


def test_a_pushed_row_rises_as_far_as_the_checks_and_the_bound_let_it(
    run: SimulatedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.attacks.exposure._PEOPLE", 2)
    monkeypatch.setattr("server.attacks.row._PUSHES", ((2.0, "one"), (100.0, "all")))
    before = contents(run)
    content = json.loads(call("row", run.folder, "--json", "-").stdout)
    told = {each["read"]: each for each in content["findings"]}
    assert len(told) == len(content["findings"]) >= 4
    assert any(read.endswith("let through, bounded") for read in told)
    assert contents(run) == before


def test_titles_written_anew_are_held_against_the_originals(run: SimulatedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.attacks.exposure._PEOPLE", 2)
    before = contents(run)
    content = json.loads(call("wording", run.folder, "--json", "-").stdout)
    assert len(content["findings"]) == 15
    assert len({each["chance"] for each in content["findings"]}) == 1
    told = {each["read"]: each["value"] for each in content["findings"]}
    assert told["letters that look alike, normal spelling"] != told["letters that look alike, as written"]
    assert contents(run) == before


def test_nothing_is_pushed_where_no_rows_are_averaged(run: SimulatedRun) -> None:
    alone = SimulatedRun(run.folder)
    alone.__dict__["config"] = run.config.model_copy(update={"strategy": "local"})
    with pytest.raises(FedrecError, match="strategy local averages nothing, so no client can push"):
        row(alone, "client-0")


def test_what_was_found_of_another_model_goes(run: SimulatedRun, tmp_path: Path) -> None:
    kept = run.folder / "attacks" / "old.json"
    write_json(kept, {"attack": "old", "run": "r", "adapter_hash": "0", "findings": [], "notes": []})
    (run.folder / "attacks" / "broken.json").write_text("{")
    assert "old" not in [report.attack for report in found(run)]
    drop_outdated(run)
    assert not kept.exists()
    assert read_json(run.folder / "result.json")


def test_what_cannot_be_attacked_is_one_line(run: SimulatedRun, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run there"):
        call("titles", tmp_path)
    with pytest.raises(UsageError, match="--client client-9: no such client"):
        call("people", run.folder, "--client", "client-9")
    with pytest.raises(UsageError, match="--models 5: an even number"):
        call("canaries", run.folder, "--models", 5)
