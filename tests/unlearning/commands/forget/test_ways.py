"""Both ways from the command line: the plan shows them, `run --way` takes one, `verify` tells which it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fedrec.errors import UsageError
from fedrec.files import write_json
from server.commands.forget import app
from server.simulated_run import SimulatedRun
from tests.conftest import Settings
from tests.server.test_federated_executor import trained

Forget = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, small: Settings) -> SimulatedRun:
    return trained(tmp_path / "run", small(items__rank=2, train__epochs=1))


@pytest.fixture
def forget(run: SimulatedRun) -> Forget:
    def call(command: str, *others: object) -> Result:
        where = [] if command == "verify" else ["--run", str(run.folder)]
        result = CliRunner().invoke(app, [command, *map(str, others), *where])
        if result.exception is not None:
            raise result.exception
        return result

    return call


def test_the_plan_shows_both_and_run_takes_one(run: SimulatedRun, forget: Forget, tmp_path: Path) -> None:
    write_json(run.folder / "erasure" / "policy.json", {"thresholds": {"membership": 0.49, "utility": 0.95}})
    request = json.loads(forget("submit", "--user", "u07", "--json", "-").stdout)["id"]
    forget("approve")
    shown = forget("plan", request).output
    assert (
        "retrained without" in shown and "--way approximate, if it is shown" in shown and "to threshold 0.49" in shown
    )
    planned = json.loads(forget("plan", request, "--json", "-").stdout)
    assert planned["claim"] == "retrained without" and planned["rounds"] == 2
    assert planned["approximate"]["rounds"] == 1 and planned["approximate"]["thresholds"]["membership_end"] == "far"
    assert 0 < planned["approximate"]["estimated_seconds"] <= planned["estimated_seconds"]
    with pytest.raises(UsageError, match="--rederive trains again"):
        forget("run", "--way", "approximate", "--rederive")
    (outcome,) = json.loads(forget("run", "--way", "approximate", "--json", "-").stdout)["requests"]
    assert (outcome["state"], outcome["claim"]) == ("closed", "approximately forgotten to threshold 0.49")

    pem, certificate = tmp_path / "operator.pem", Path(outcome["certificate"])
    pem.write_text(forget("keys", "--export", "operator").output)
    evidence = ("--bundle", run.folder / "erasure" / "bundles" / request, "--key", pem)
    told = forget("verify", certificate, *evidence).output
    assert "ok    way: approximate" in told and "loss of erased records" in told
    assert "distance to a model that was trained without the records: not known" in told
    page = (run.folder / "erasure" / "documents" / f"{request}.html").read_text()
    assert "Shards changed" in page and "Shards trained again" not in page


def test_of_several_shards_the_plan_says_why_not(tmp_path: Path, finished: Callable[[Path], SimulatedRun]) -> None:
    run = finished(tmp_path / "run")
    where = ["--run", str(run.folder)]
    submitted = CliRunner().invoke(app, ["submit", "--user", "u07", "--json", "-", *where])
    told = CliRunner().invoke(app, ["plan", json.loads(submitted.stdout)["id"], *where]).output
    assert "not approximately: a run of 2 shards trains the touched ones again" in told.replace("\n", " ")
