"""A benchmark says what it does, and replaces committed results only where it is asked to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from experiments import common
from fedrec.files import read_json


def measure(rows: int = 3) -> None:
    """Count rows."""
    common.write_result("toy", {"rows": rows, "before": common.last_result("toy").get("rows")})


@pytest.fixture
def committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "committed"
    monkeypatch.setattr(common, "COMMITTED", folder)
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["experiments/toy.py", *arguments])
    with pytest.raises(SystemExit) as end:
        common.run_command(measure)
    assert end.value.code == 0


def test_a_result_replaces_the_committed_one_only_with_write(
    committed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "--rows", "5", "--write")
    assert "Count rows.\n" in capsys.readouterr().out
    before = read_json(committed / "toy.json")
    assert before["rows"] == 5 and before["command"] == "python -m experiments.toy --rows 5 --write"
    run(monkeypatch, "--rows", "7")
    assert read_json(committed / "toy.json") == before
    assert read_json(Path("runs/experiments/toy.json"))["rows"] == 7
    assert "written: runs/experiments/toy.json" in capsys.readouterr().out
