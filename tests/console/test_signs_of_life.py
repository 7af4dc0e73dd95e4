"""Whoever waits for a command that reads or writes much hears of it, also in a pipe."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedrec.console import progress
from fedrec.reporting import run_page
from server.commands.evaluate import evaluate
from server.commands.report import report
from server.simulated_run import SimulatedRun
from tests.console.test_progress import until
from tests.reporting.results import write_run

COMMANDS: dict[str, tuple[Callable[[Path], Any], object, str, str]] = {
    "evaluate": (lambda folder: evaluate(folder=folder), SimulatedRun, "result", "reading {folder}, "),
    "report": (lambda folder: report(runs=[folder]), run_page, "write_report", "writing the page, "),
}


@pytest.mark.parametrize(("command", "where", "slow", "line"), COMMANDS.values(), ids=COMMANDS)
def test_a_pipe_is_told_while_a_command_is_at_it(
    command: Callable[[Path], Any], where: object, slow: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run(tmp_path / "one")
    result = json.loads((folder / "result.json").read_text("utf-8"))
    monkeypatch.setattr(progress, "PATIENCE", 0.01)
    monkeypatch.setattr(sys, "stderr", pipe := io.StringIO())

    def waits(*_: object) -> Any:
        until(pipe, line.format(folder=folder))
        return result

    monkeypatch.setattr(where, slow, property(waits) if slow == "result" else waits)
    command(folder)
