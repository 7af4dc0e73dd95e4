"""One writer a folder: the second is told of the first in one line, and nobody who has died is in the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedrec.errors import FedrecError, UsageError
from fedrec.lock import content, empty, only_writer
from tests.cli import ROOT

HOLD = (
    "import sys; from pathlib import Path; from fedrec.lock import only_writer\nwith only_writer(Path(sys.argv[3])):\n"
)
HOLD += "    Path(sys.argv[3], 'work').touch(); print('holds', flush=True); sys.stdin.read()"


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process `fedrec forget run` that changes tmp_path/run."""
    command = [sys.executable, "-c", HOLD, "forget", "run", str(tmp_path / "run")]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "holds\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_is_told_who_where_and_since_when(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(FedrecError) as told, only_writer(tmp_path / "run"):
        pass
    line = str(told.value)
    facts = json.loads((tmp_path / "run" / "writer.json").read_text())
    assert f"process {holder.pid} on {facts['host']}, since {facts['since']}" in line and "forget run`" in line
    assert "\n" not in line and told.value.exit_code == 1
    holder.communicate("")  # it ends by itself
    with only_writer(tmp_path / "run"):
        assert json.loads((tmp_path / "run" / "writer.json").read_text())["process"] == os.getpid()
    assert not (tmp_path / "run" / "writer.json").exists()


def test_a_killed_holder_is_in_nobodys_way(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "run" / "writer.json").exists()  # it could not tidy up
    with only_writer(tmp_path / "run"):
        pass
    assert content(tmp_path / "run") == [tmp_path / "run" / "work"]


def test_a_holder_that_says_nothing_yet_is_another_process(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    (tmp_path / "run" / "writer.json").write_text("{")
    with pytest.raises(FedrecError, match="is being changed by another process"), only_writer(tmp_path / "run"):
        pass


def test_a_folder_that_was_made_for_nothing_is_gone_and_one_that_was_there_stays(tmp_path: Path) -> None:
    with only_writer(tmp_path / "a" / "b"):
        pass
    assert not (tmp_path / "a" / "b").exists()
    (tmp_path / "there").mkdir()
    with only_writer(tmp_path / "there"):
        pass
    assert (tmp_path / "there").is_dir() and content(tmp_path / "there") == []


def test_what_is_raised_within_lets_go(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), only_writer(tmp_path / "run"):
        raise KeyboardInterrupt
    with only_writer(tmp_path / "run"):
        (tmp_path / "run" / "x").touch()
        (tmp_path / "run" / "y").mkdir()
        empty(tmp_path / "run")
        assert content(tmp_path / "run") == []
        with pytest.raises(FedrecError), only_writer(tmp_path / "run"):
            pass


def test_where_nothing_can_be_locked_it_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file is a file: choose another --out"), only_writer(tmp_path / "file"):
        pass
    with pytest.raises(UsageError, match="cannot be written"), only_writer(tmp_path / "file" / "below"):
        pass
