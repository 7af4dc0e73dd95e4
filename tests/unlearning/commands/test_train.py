"""A sharded model from the command line: trained, asked, asked to forget, and proved."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fedrec.errors import FedrecError, Interrupted, UsageError
from server.commands.evaluate import evaluate
from server.commands.forget import app as forget_app
from server.commands.recommend import recommend
from server.commands.report import report
from tests.cli import as_sets
from tests.conftest import Settings
from tests.server.test_federated_executor import without
from tests.unlearning.central.trained import SPLIT, served
from unlearning.central.model_folder import ModelFolder
from unlearning.commands.unlearn import app
from unlearning.shards.training import ShardTraining, Trained


def train(settings: dict[str, Any], *arguments: object, fails: bool = False) -> Result:
    sets = [] if "--resume" in arguments else as_sets({**SPLIT, **settings})
    ran = CliRunner().invoke(app, ["train", *sets, *map(str, arguments)])
    assert (ran.exit_code != 0) == fails, (ran.output, ran.exception)
    return ran


def test_stopped_before_there_is_a_model_it_leaves_nothing_and_says_so(
    tmp_path: Path, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("unlearning.central.train.ShardedModel.create", stop)
    ran = train(small(), "--out", tmp_path / "model", fails=True)
    assert isinstance(ran.exception, Interrupted) and "before there was a model" in str(ran.exception)
    assert not (tmp_path / "model").exists()


def forget(folder: Path, command: str, *arguments: object) -> Result:
    where = [] if command == "verify" else ["--run", str(folder)]
    ran = CliRunner().invoke(forget_app, [command, *map(str, arguments), *where])
    assert ran.exit_code == 0, (ran.output, ran.exception)
    return ran


def test_from_the_training_to_the_certificate(
    tmp_path: Path, small: Settings, ratings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, folder = small(train__epochs=1), tmp_path / "model"
    told = json.loads(train(settings, "--shards", 3, "--out", folder, "--json", "-").stdout)
    assert told["overall"]["auc"] > 0 and told["history"][0]["overall"]["auc"] > 0
    assert 0 <= told["overall"]["uauc_at_split"] <= 1 and told["history"][0]["overall"]["uauc_at_split"] is None
    assert told["config"]["train"]["epochs"] == 1 and not {"federation", "clients", "pplr"} & told["config"].keys()
    assert told["clients"][0]["users"] == 24 and (folder / "report.html").exists()
    recommend("u07", run=folder, top=3, json="-")
    answer = json.loads(capsys.readouterr().out)
    assert (answer["client"], len(answer["items"])) == ("central", 3)

    id_ = json.loads(forget(folder, "submit", "--user", "u07", "--json", "-").stdout)["id"]
    forget(folder, "approve")
    assert "held by    central (12 rows)" in forget(folder, "plan", id_).output
    (outcome,) = json.loads(forget(folder, "run", "--json", "-").stdout)["requests"]
    assert (outcome["state"], outcome["claim"]) == ("closed", "retrained without")
    assert "1 closed" in forget(folder, "status").output
    key = tmp_path / "operator.pem"
    key.write_text(forget(folder, "keys", "--export", "operator").stdout)
    bundle = ModelFolder(folder).folder / "erasure" / "bundles" / id_
    checks = forget(folder, "verify", outcome["certificate"], "--bundle", bundle, "--key", key).output
    assert "verdict: PASS" in checks and "FAIL" not in checks
    assert {path.suffix for path in (folder / "erasure" / "documents").iterdir()} == {".html", ".txt"}
    forget(folder, "audit")
    evaluate(run=folder, json="-")
    assert json.loads(capsys.readouterr().out)["overall"] == ModelFolder(folder).result["overall"]
    report([folder])
    assert id_ in (folder / "report.html").read_text() and "u07" not in (folder / "report.html").read_text()

    never = tmp_path / "never"
    train({**settings, "data.path": without(ratings, tmp_path, {"u07"})}, "--shards", 3, "--out", never)
    assert served(folder) == served(never)
    assert ModelFolder(folder).result["overall"] == ModelFolder(never).result["overall"]
    with pytest.raises(UsageError, match="--user u07: no such user"):
        recommend("u07", run=folder)


@pytest.mark.parametrize("method", ["sisa", "apa-user", "receraser"])
def test_models_of_other_methods_answer_and_forget(
    tmp_path: Path, small: Settings, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    train(small(train__epochs=1), "--method", method, "--shards", 2, "--slices", 2, "--out", folder)
    forget(folder, "submit", "--item", "i4")
    forget(folder, "approve")
    (outcome,) = json.loads(forget(folder, "run", "--json", "-").stdout)["requests"]
    assert outcome["state"] == "closed"
    recommend("u08", run=folder, top=3, json="-")
    assert len(json.loads(capsys.readouterr().out)["items"]) == 3


def test_it_is_continued_where_it_was_killed(tmp_path: Path, small: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, folder, run = small(train__epochs=1), tmp_path / "model", ShardTraining.run

    def killed(self: ShardTraining, *arguments: Any) -> Trained:
        if self.shard == 1:
            raise KeyboardInterrupt
        return run(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(ShardTraining, "run", killed)
        stopped = train(settings, "--shards", 2, "--out", folder, fails=True)
    assert f"continue with `fedrec unlearn train --resume {folder}`" in str(stopped.exception)
    refused = CliRunner().invoke(forget_app, ["run", "--run", str(folder)])
    assert isinstance(refused.exception, FedrecError) and "is not finished" in str(refused.exception)
    train({}, "--resume", folder)
    train(settings, "--shards", 2, "--out", tmp_path / "whole")
    assert served(folder) == served(tmp_path / "whole")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--method", "magic"), "method magic"),
        (("--resume", "nowhere"), "nowhere: no sharded model there"),
        (("--resume", "nowhere", "--seed", "3"), "--resume continues a model as it was configured"),
        (("--resume", "nowhere", "--shards", "3"), "--resume continues a model as it was configured"),
    ],
)
def test_mistakes_get_one_line(small: Settings, tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    out = () if "--resume" in arguments else ("--out", tmp_path / "out")
    assert told in str(train(small(), *arguments, *out, fails=True).exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["status", "list", "keys"])
def test_what_computes_nothing_imports_nothing_that_does(command: str, tmp_path: Path, small: Settings) -> None:
    train(small(train__epochs=1), "--shards", 2, "--out", tmp_path / "model")
    code = (
        "import sys; from fedrec import cli; sys.argv = ['fedrec', 'forget', *sys.argv[1:]]\n"
        "cli.main(); print({'torch', 'flwr', 'matplotlib'} & sys.modules.keys())"
    )
    words = [sys.executable, "-c", code, command, "--run", str(tmp_path / "model")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "set()", done.stdout + done.stderr
