"""Signs of life, on a terminal and without one."""

from __future__ import annotations

import io
import sys
import time

import pytest

from fedrec.console import progress
from fedrec.console.progress import bar, side_by_side, tell_another, working


def test_a_pipe_is_told_every_so_often_and_not_of_what_is_soon_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(progress, "PATIENCE", 15)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with bar("base model") as tick:
        for step in range(1, 51):
            now += 1
            tick(step, 100)
    assert capsys.readouterr() == ("", "".join(
        f"base model: {step} of 100, about {100 - step} s left\n" for step in (15, 30, 45)
    ))  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def until(stream: io.StringIO, text: str) -> None:
    end = time.monotonic() + 20
    while text not in stream.getvalue():
        assert time.monotonic() < end, stream.getvalue()
        time.sleep(0.005)


def test_a_pipe_is_told_of_what_cannot_be_counted_as_long_as_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.01)
    monkeypatch.setattr(sys, "stderr", pipe := io.StringIO())
    with pytest.raises(ValueError), working("reading x.csv"):
        until(pipe, "reading x.csv, 0 s so far\n")
        raise ValueError
    told = pipe.getvalue()
    time.sleep(0.05)
    assert pipe.getvalue() == told


def test_who_waits_for_a_command_waits_from_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_OFTEN", 0.01)
    monkeypatch.setattr(sys, "stderr", pipe := io.StringIO())
    with progress.patience_from_here():
        monkeypatch.setattr(progress, "_waited_since", time.monotonic() - progress.PATIENCE)  # imports took it all
        with working("opening the run"):
            until(pipe, "opening the run, 0 s so far\n")
    monkeypatch.setattr(sys, "stderr", after := io.StringIO())
    with working("something else"):
        time.sleep(0.05)
    assert after.getvalue() == ""


def test_a_pipe_is_told_of_the_innermost_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.01)
    monkeypatch.setattr(sys, "stderr", pipe := io.StringIO())
    with working("preparing"):
        until(pipe, "preparing, ")
        with bar("base model") as tick:
            time.sleep(0.05)  # what was being said as this began
            monkeypatch.setattr(sys, "stderr", within := io.StringIO())
            time.sleep(0.05)
            tick(1, 1000)
        monkeypatch.setattr(sys, "stderr", after := io.StringIO())
        until(after, "preparing, ")
    assert within.getvalue() == "base model: 1 of 1000\n"


def test_quick_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with working("reading"), bar("x") as tick:
        tick(1, 1)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_a_bar_takes_the_place_of_a_spinner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with working("preparing [x]"), working("inner"):
        until(terminal, "preparing [x]")
        with bar("base model") as tick:
            tick(1, 2)
            until(terminal, "base model")
    assert "inner" not in terminal.getvalue()


def test_a_process_that_works_for_another_shows_nothing_and_tells_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[str, int, int]] = []
    monkeypatch.setattr(progress, "_another", None)
    tell_another(lambda *said: told.append(said))
    with working("scoring"), bar("client-0 round 1") as tick:
        for step in range(1, 10_001):
            tick(step, 10_000)
    assert told[0] == ("scoring", 0, 1)
    assert told[-2:] == [("client-0 round 1", 10_000, 10_000), ("scoring", 1, 1)]
    assert len(told) < 100, "not every step"
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_what_is_done_side_by_side_stands_side_by_side(
    stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.01)
    monkeypatch.setattr(sys, "stderr", shown := stream())
    monkeypatch.setenv("TERM", "xterm")
    with side_by_side() as tell:
        tell("client-0 round 1", 3, 8)
        tell("client-[red]1 scores", 0, 1)
        until(shown, "client-0 round 1: 3 of 8")
        until(shown, "client-[red]1 scores")
        tell("client-0 round 1", 8, 8)
        tell("client-[red]1 scores", 1, 1)
    told = shown.getvalue()
    time.sleep(0.05)
    assert shown.getvalue() == told
