"""A task from outside: one file, and one line of the table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fedrec.config import load
from fedrec.errors import UsageError
from fedrec.models.base import load_base
from fedrec.registry import TASKS
from fedrec.reporting import run_page
from fedrec.reporting.run_console import round_line
from fedrec.tasks import encoder_of
from fedrec.tasks.task import Task
from tests.cli import as_sets
from tests.conftest import Settings
from tests.server.test_federation import made, ran
from unlearning.commands.unlearn import app


@pytest.fixture(autouse=True)
def taste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "taste", "tests.seams.toy_task:Taste")


def test_a_federation_learns_and_is_measured_by_it(tmp_path: Path, small: Settings) -> None:
    result = ran(tmp_path / "run", small(task="taste", shards=2, federation__rounds=1, aggregator="average-nd"))
    values = [client["brier"] for client in result["clients"]]
    overall = result["overall"]
    assert all(0 < value < 1 for value in values)
    assert overall["worst_brier"] == max(values)
    weights = [client["examples"] for client in result["clients"]]
    assert overall["brier"] == pytest.approx(np.average(values, weights=weights))
    assert 0 <= overall["accuracy"] <= 1
    assert "auc" not in overall
    assert f"brier {overall['brier']:.4f}" in run_page.render(result)
    assert round_line(result["history"][-1])
    assert 0 < result["history"][-1]["train_loss"]["client-0"] < 0.6, "squared errors, not nats"


def test_answers_stand_in_no_history(tmp_path: Path, small: Settings) -> None:
    run = made(tmp_path / "run", small(task="taste"))
    base = load_base(str(run.config.base), device="cpu", precision="fp32")
    encoder = encoder_of(run.config, run.catalogue, base)
    rows = run.rows_of("client-0")
    windows = encoder.windows(rows, np.ones(len(rows), bool))
    assert sorted(np.concatenate([window.rows for window in windows])) == list(range(len(rows)))
    assert not any(np.isin(window.ids, encoder.readout.tokens).any() for window in windows)


def test_methods_of_unlearning_are_compared_on_it(tmp_path: Path, small: Settings) -> None:
    settings = as_sets(small(task="taste", train__epochs=1, data__split="user-time", data__valid_fraction=0.2))
    arguments = ["--methods", "strict-hash", "--shards", "2", "--out", str(tmp_path / "out"), "--json", "-"]
    ran = CliRunner().invoke(app, ["compare", *settings, *arguments])
    assert ran.exit_code == 0, ran.output
    for row in json.loads(ran.stdout)["methods"]:
        assert row["exact"] == "strict"
        assert 0 < row["brier_after"] < 1
        assert row["auc_after"] is None


def test_a_task_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match=r"task = \"riddles\": choose like, taste"):
        load(sets=("task=riddles",))


@pytest.mark.parametrize("name", TASKS)
def test_every_line_is_a_task(name: str) -> None:
    task = TASKS.load(name)
    assert issubclass(task, Task)
    assert task.main in task.metrics
