"""Whoever has the run's folder is nobody: private keys lie with their owners, under passphrases."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fedrec.errors import FedrecError
from server.commands.forget import app
from server.simulated_run import SimulatedRun
from tests.server.test_federated_executor import Copy
from unlearning.workflow import passphrases

Forget = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, finished: Copy) -> SimulatedRun:
    return finished(tmp_path / "run")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nothing in the environment says where keys are or what opens them; the home folder."""
    for variable in ("FEDREC_KEYS", "FEDREC_PASSPHRASE", "FEDREC_PASSPHRASE_FILE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def forget(run: SimulatedRun) -> Forget:
    def call(*arguments: object, fails: bool = False, own: tuple[object, ...] = ()) -> Result:
        result = CliRunner().invoke(app, [*map(str, (*own, *arguments)), "--run", str(run.folder)])
        assert (result.exit_code != 0) == fails, (result.output, result.exception)
        return result

    return call


def said(result: Result) -> str:
    assert isinstance(result.exception, FedrecError), result.exception
    assert "\n" not in str(result.exception)
    return str(result.exception)


def private(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]


def test_no_private_key_is_in_the_run(
    run: SimulatedRun, forget: Forget, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDREC_PASSPHRASE", "of anna")
    told = forget("keys", "--create", "anna").output
    mine = alone / ".config" / "fedrec" / "keys" / "anna.key"
    assert str(mine) in told.replace("\n", "") and "under a passphrase" in told
    assert private(run.folder) == []
    assert private(alone) == [mine] and b"ENCRYPTED" in mine.read_bytes()


def test_who_has_the_folder_signs_nothing(
    forget: Forget, alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDREC_PASSPHRASE", "of anna")
    forget("keys", "--create", "anna")
    forget("submit", "--user", "u05", "--by", "anna")
    monkeypatch.setenv("FEDREC_PASSPHRASE", "a guess")
    assert "the passphrase is wrong" in said(forget("approve", "--by", "anna", fails=True))
    monkeypatch.delenv("FEDREC_PASSPHRASE")
    assert "FEDREC_PASSPHRASE_FILE" in said(forget("approve", "--by", "anna", fails=True))
    elsewhere = ("--keys", tmp_path / "elsewhere")
    assert "the private key is not here" in said(forget("approve", "--by", "anna", fails=True, own=elsewhere))
    assert json.loads(forget("status", "--json", "-").stdout)["counts"] == {"received": 1}


def test_another_key_of_the_same_name_is_not_theirs(
    forget: Forget, alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDREC_PASSPHRASE", "of anna")
    forget("keys", "--create", "anna")
    forget("submit", "--user", "u05", "--by", "anna")
    passphrases.own_keyring(tmp_path / "mallory").make("anna")
    forged = ("--keys", tmp_path / "mallory")
    assert "which is the one of 'anna' in this run" in said(forget("approve", "--by", "anna", fails=True, own=forged))


def test_a_passphrase_from_a_file(forget: Forget, alone: Path, tmp_path: Path) -> None:
    file = tmp_path / "anna.txt"
    file.write_text("of anna\n")
    for own in (("--passphrase-file", file), ("--passphrase-file", file, "--keys", tmp_path / "mine")):
        name = f"anna-{len(own)}"
        forget("keys", "--create", name, own=own)
        forget("submit", "--user", "u05", "--by", name, own=own)
    assert private(tmp_path / "mine") == [tmp_path / "mine" / "anna-4.key"]
    file.write_text("\n")
    assert "its first line is empty" in said(
        forget("approve", "--by", "anna-2", fails=True, own=("--passphrase-file", file))
    )
    nowhere = ("--passphrase-file", tmp_path / "nowhere")
    assert "cannot be read" in said(forget("approve", "--by", "anna-2", fails=True, own=nowhere))


def test_a_passphrase_is_asked_for_on_a_terminal_once_a_command(
    forget: Forget, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answers = {"Choose": "of anna", "Once": "of ana"}

    def getpass(prompt: str) -> str:
        asked.append(prompt.split()[0])
        return answers.get(asked[-1], "of anna")

    monkeypatch.setattr(passphrases, "getpass", getpass)
    monkeypatch.setattr(passphrases, "_on_a_terminal", lambda: True)
    assert "differ" in said(forget("keys", "--create", "anna", fails=True))
    answers["Once"] = "of anna"
    forget("keys", "--create", "anna")
    assert asked == ["Choose", "Once"] * 2
    for user in ("u05", "u07", "u11"):
        forget("submit", "--user", user, "--by", "anna")
    asked.clear()
    assert forget("approve", "--by", "anna").output.count("approved") == 3
    assert asked == ["Passphrase"]


def test_without_a_way_to_a_passphrase_no_key_is_made(run: SimulatedRun, forget: Forget, alone: Path) -> None:
    for command in (("submit", "--user", "u05"), ("keys", "--create", "operator")):
        assert "--no-passphrase" in said(forget(*command, fails=True))
    assert private(alone) == [] and private(run.folder) == []
    assert "WITHOUT a passphrase" in forget("keys", "--create", "operator", "--no-passphrase").output
    forget("submit", "--user", "u05")


def test_one_key_serves_a_person_in_every_run(tmp_path: Path, finished: Copy) -> None:
    found = set()
    for name in ("one", "two"):
        where = ("--run", str(finished(tmp_path / name).folder))
        made = CliRunner().invoke(app, ["--keys", str(tmp_path / "mine"), "keys", "--create", "anna", *where])
        assert made.exit_code == 0
        assert ("that was there" in made.output) == (name == "two")
        found.add(CliRunner().invoke(app, ["keys", "--export", "anna", *where]).output)
    assert len(found) == 1
