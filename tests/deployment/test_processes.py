"""Processes that begin and end together."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest

from fedrec.deployment.processes import Together
from fedrec.errors import FedrecError

_SLEEPS = ["sleep", "60"]


def test_where_one_ends_the_others_end_and_its_last_words_are_told(tmp_path: Path) -> None:
    told = r"fails ended with code 3: Error: no port; see .*fails\.log"
    with pytest.raises(FedrecError, match=told) as fault, Together(tmp_path) as together:
        together.start("sleeps", _SLEEPS, {})
        together.start("fails", ["sh", "-c", "echo Error: no port; echo read our pages; exit 3"], {})
        together.watch()
    assert "read our pages" not in str(fault.value)
    assert not any(child.name() == "sleep" for child in psutil.Process().children())


def test_one_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedrec.deployment.processes._GRACE", 0.2)
    deaf = (
        "import signal, time\nfor n in (2, 15): signal.signal(n, signal.SIG_IGN)\n"
        "print('deaf', flush=True); time.sleep(60)"
    )
    before = psutil.Process().children()
    with Together(tmp_path) as together:
        together.start("deaf", [sys.executable, "-S", "-c", deaf], {})
        together.await_(lambda: "deaf" in together.log("deaf").read_text(), "deaf")
    assert psutil.Process().children() == before


def test_one_that_may_end_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedrec.deployment.processes._WAIT", (0.05, 0.05))
    said: list[str] = []
    with Together(tmp_path, said.append) as together:
        together.start("often", ["sh", "-c", "echo hello $WHO; exit 1"], {"WHO": "you"}, again=True)
        end = time.monotonic() + 30
        while together.log("often").read_text() != "hello you\n" * 3:
            together.check()
            assert time.monotonic() < end
            time.sleep(0.02)
    assert len(said) == 1, "the same reason is told once"
    assert "often ended with code 1: hello you" in said[0]
