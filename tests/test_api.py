"""The Python interface: its page of examples, executed, and that it does what the commands do."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fedrec
from fedrec.errors import FedrecError, UsageError
from fedrec.files import finite
from fedrec.metrics import auc
from server.commands.evaluate import evaluate as command
from tests.cli import as_sets, hash_of
from tests.cli import run as run_process
from tests.conftest import Settings

PAGE = Path(__file__).parents[1] / "docs" / "python.md"


@pytest.mark.slow
def test_every_example_of_the_page_runs(
    tmp_path: Path, ratings: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fedrec.parallel.worker_count.cores", lambda: 1)  # processes are in server/test_modes.py
    shutil.copy(ratings, "ratings.csv")
    names: dict[str, Any] = {"BASE": str(tiny_base)}
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(examples) >= 9
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), names)
    assert names["verdict"].ok and names["erasure"].state == "closed"
    assert [entry.round for entry in names["told"]] == [0, 1]
    assert list(names["comparison"].methods()["name"]) == ["retraining", "sisa", "apa-nd"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> fedrec.Run:
    return fedrec.simulate(settings=small(), out=tmp_path_factory.mktemp("api") / "run", workers=0)


def test_it_trains_what_the_command_trains(made: fedrec.Run, tmp_path: Path, small: Settings) -> None:
    code, _, err = run_process("simulate", "--out", "run", *as_sets(small()), cwd=tmp_path)
    assert code == 0, err
    assert made.result["adapter_hash"] == hash_of(tmp_path / "run")
    assert made.result == json.loads((made.folder / "result.json").read_text())


def test_scores_are_those_the_result_was_measured_on(made: fedrec.Run) -> None:
    scores = made.scores()
    assert list(scores.columns) == ["client", "user", "item", "time", "label", "score"]
    assert len(scores) == made.result["overall"]["examples"]
    assert auc(scores["score"].to_numpy(), scores["label"].to_numpy()) == made.result["overall"]["auc"]
    for client in made.result["clients"]:
        mine = scores[scores["client"] == client["id"]]
        assert np.isclose(auc(mine["score"].to_numpy(), mine["label"].to_numpy()), client["auc"])


def test_a_split_is_measured_as_the_command_does(
    made: fedrec.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(run=made.folder, split="valid", per_user=tmp_path / "command.csv", json="-")
    told = json.loads(capsys.readouterr().out)
    found = made.evaluate("valid", tmp_path / "people.csv")
    assert finite(found) == told and len(told["clients"]) == len(made.clients)
    assert (tmp_path / "people.csv").read_text() == (tmp_path / "command.csv").read_text()
    for wrong, said in (({"split": "train"}, "choose valid or test"), ({"per_user": "people.txt"}, "ends in .parquet")):
        with pytest.raises(UsageError, match=said):
            made.evaluate(**wrong)


def test_words_and_settings_say_the_same(made: fedrec.Run, small: Settings, tmp_path: Path) -> None:
    """A word is the setting that the command's option stands for, and counts before it."""
    settings = small()
    data, base, clients, rounds = (
        settings.pop(key) for key in ("data.path", "base", "clients.count", "federation.rounds")
    )
    again = fedrec.simulate(
        data, base=base, clients=clients, rounds=rounds, settings=settings | {"federation.rounds": 9},
        out=str(tmp_path / "run"), workers=0,
    )  # fmt: skip
    assert again.result["adapter_hash"] == made.result["adapter_hash"]


def test_mistakes_are_told_before_anything_is_written(tmp_path: Path, small: Settings) -> None:
    with pytest.raises(UsageError, match="fedsgd"):
        fedrec.simulate(strategy="fedsgd", settings=small(), out=tmp_path / "run")
    with pytest.raises(UsageError, match="rate"):
        fedrec.simulate(settings=small() | {"train.rate": 1}, out=tmp_path / "run")
    with pytest.raises(UsageError, match="no run there"):
        fedrec.open_run(tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        fedrec.simulat  # type: ignore[attr-defined]  # noqa: B018


def test_what_cannot_be_forgotten_is_told(made: fedrec.Run) -> None:
    for mistake, said in [
        ({"user": "nobody"}, "user nobody: not in the data"),
        ({"user": "u01", "items": ["no"]}, "not in the catalogue"),
        ({"user": "u01", "client": "no"}, "no such client"),
        ({}, "nothing is named to be forgotten"),
        ({"user": "u01", "way": "half"}, "way half: choose exact, approximate, bridge"),
    ]:
        with pytest.raises(FedrecError, match=said):
            made.forget(**mistake)  # type: ignore[arg-type]
