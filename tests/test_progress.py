"""Signs of life where there is no terminal."""

from __future__ import annotations

import pytest

from fedrec import progress
from fedrec.progress import bar


def test_a_pipe_is_told_every_so_often_and_not_of_what_is_soon_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with bar("base model") as tick:
        for step in range(1, 51):
            now += 1
            tick(step, 100)
    assert capsys.readouterr() == ("", "".join(
        f"base model: {step} of 100, about {100 - step} s left\n" for step in (15, 30, 45)
    ))  # fmt: skip
