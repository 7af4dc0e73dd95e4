"""Ids, titles and messages are data: on a terminal they stand there, and steer nothing."""

from __future__ import annotations

import json
import re
import unicodedata
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

from clients.commands.vault import app as vault_app
from clients.home import Settings, create_home
from fedrec import cli
from fedrec.commands.data import app as data_app
from fedrec.config import RunConfig
from fedrec.console.json_output import write_result
from fedrec.console.terminal import Terminal
from fedrec.console.visible import visible
from fedrec.data.dataset import Catalogue, Interactions
from fedrec.ensemble.ranking import Ranking, Recommendation
from fedrec.errors import UsageError
from tests.cli import ROOT

CLEAR, TITLE, C1, OVERRIDE = "\x1b[2J", "\x1b]0;owned\x07", "\x9b2J", "\u202egnp.exe"
BAD = (CLEAR, TITLE, C1, OVERRIDE, "\r", "\x08", "\x85", "\u2028", "\u2066")
NASTY = f"Alien{''.join(BAD)}"


def steering(text: str) -> list[str]:
    return [letter for letter in text if (letter not in "\n\t" and unicodedata.category(letter) in ("Cc", "Zl", "Zp"))
            or letter in "\u202e\u2066"]  # fmt: skip


@given(st.text())
def test_visible_text_steers_nothing_and_says_all(text: str) -> None:
    shown = visible(text)
    assert not steering(shown)
    assert visible(shown) == shown
    assert (shown == text) == (not steering(text) and not any(map(orders, text)))


def orders(letter: str) -> bool:
    return unicodedata.bidirectional(letter) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI") or (
        letter in "\u061c\u200e\u200f" or unicodedata.category(letter) == "Cs"
    )


@given(st.text(st.sampled_from(["a", *"".join(BAD)]), max_size=12))
def test_a_console_keeps_its_own_styles_only(text: str) -> None:
    file = StringIO()
    console = Terminal(file=file, force_terminal=True, color_system="standard", width=200, highlight=False)
    table = Table(title=Text(text), style="red")
    table.add_column(Text(text))
    table.add_row(escape(text))
    for printed in (text, escape(text), Text(text, "bold"), table, Panel(Text(text))):
        console.print(printed, style="green")
    console.print(escape(text), markup=False, soft_wrap=True)
    assert not steering(re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue()))


def test_no_command_prints_past_the_console() -> None:
    """Whoever prints text by other means makes it visible there; JSON is ASCII, and steers nothing."""
    for package in ("fedrec", "server", "clients", "unlearning"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text("utf-8")
            if path.name != "terminal.py":
                assert not re.search(r"\bConsole\((?!\))|\bConsole\(\)", text), path
            for call in re.findall(r"(?:typer\.echo|(?<![\w.])print)\((.*)", text):
                told = (
                    "visible(" in call
                    or "json.dumps(" in call
                    or call.startswith(('"', "_SHELLS", "_STEERS", "show_again"))
                )
                assert told or "ROUND_HEADER" in call, (path, call)


def test_messages_results_and_lists_are_visible(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise UsageError(f"--user {NASTY}: no such user")

    monkeypatch.setattr(cli.cli, "main", fails)
    with pytest.raises(SystemExit):
        cli.main()
    write_result({"title": NASTY, NASTY: 1}, "-")
    told = capsys.readouterr()
    assert not steering(told.out) and not steering(told.err) and r"\x1b[2J" in told.err
    assert json.loads(told.out) == {"title": NASTY, NASTY: 1}

    catalogue = Catalogue((NASTY,), (NASTY,))
    first, liked = np.zeros(1, np.int32), np.ones(1, np.int8)
    rows = Interactions(first, first, liked, np.zeros(1, np.int64), liked, (NASTY,))
    home = create_home(tmp_path / "client-0", Settings(name="client-0"))
    home.write_interactions(rows, catalogue)
    for app, arguments in (
        (vault_app, ["list", str(home.folder)]),
        (vault_app, ["status", str(home.folder)]),
        (data_app, ["inspect", "--homes", str(tmp_path), "--users", "3"]),
        (data_app, ["inspect", "--homes", str(tmp_path), "--users", "3", "--json", "-"]),
    ):
        called = CliRunner().invoke(app, arguments)
        assert called.exit_code == 0, called.exception
        assert not steering(called.output), arguments


def test_recommended_titles_are_visible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer import Typer

    from server.commands.recommend import recommend
    from server.simulated_run import SimulatedRun, create_run

    create_run(tmp_path / "run", RunConfig())
    monkeypatch.setattr(SimulatedRun, "holder", lambda *_: (NASTY, NASTY))
    monkeypatch.setattr(
        SimulatedRun, "recommend", lambda *_: (NASTY, Ranking([Recommendation(NASTY, NASTY, 0.5)], 1, 1))
    )
    app = Typer()
    app.command()(recommend)
    for options in ([], ["--json", "-"]):
        called = CliRunner().invoke(app, ["--user", NASTY, "--run", str(tmp_path / "run"), *options])
        assert called.exit_code == 0, called.exception
        assert not steering(called.output) and "Alien" in called.output


def test_a_result_replaces_no_device_and_no_pipe(tmp_path: Path) -> None:
    import os
    import threading

    from fedrec.console.json_output import write_result

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    told: list[str] = []
    reader = threading.Thread(target=lambda: told.append(pipe.read_text()))
    reader.start()
    write_result({"auc": 0.5}, str(pipe))
    reader.join(timeout=20)
    assert told == ['{"auc": 0.5}\n'] and pipe.is_fifo()
