"""Two commands that change one run: the second ends at once, changes nothing and says who is there."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedrec.errors import FedrecError
from fedrec.lock import only_writer
from server.commands.forget import app
from server.commands.report import report
from server.commands.simulate import simulate
from server.simulated_run import SimulatedRun
from tests.cli import run as fedrec
from tests.cli import start, until
from tests.server.test_federated_executor import Copy, asked, of
from unlearning.certificates.chain import verify_chain
from unlearning.certificates.verify import verify_certificate


def state(folder: Path) -> dict[Path, tuple[int, int]]:
    """Every file with its size and time, but for the lock's."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("writer.")]
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files if "ledger" not in path.name}


def forget_run(run: SimulatedRun) -> None:
    result = CliRunner().invoke(app, ["run", "--run", str(run.folder)])
    if result.exception:
        raise result.exception


COMMANDS: dict[str, Callable[[SimulatedRun], None]] = {
    "forget run": forget_run,
    "simulate --resume": lambda run: simulate(resume=run.folder),
    "simulate --replace": lambda run: simulate(out=run.folder, replace=True),
    "report": lambda run: report([run.folder]),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_whoever_comes_second_changes_nothing(tmp_path: Path, finished: Copy, command: str) -> None:
    run = finished(tmp_path / "run")
    asked(run, *of("u07"))
    before = state(run.folder)
    with only_writer(run.folder), pytest.raises(FedrecError, match=f"{run.folder} is being changed by `.*` .process "):
        COMMANDS[command](run)
    assert state(run.folder) == before


def test_what_is_asked_and_decided_meanwhile_waits_for_nobody(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    with only_writer(run.folder):
        assert asked(run, *of("u07"))
        assert CliRunner().invoke(app, ["status", "--run", str(run.folder)]).exit_code == 0


def test_two_forgettings_at_once_end_in_one_good_certificate(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    (id_,) = asked(run, *of("u07"))
    first = start("forget", "run", "--run", run.folder, cwd=tmp_path)
    until((run.folder / "erasure" / "batches").exists, first)
    first.send_signal(signal.SIGSTOP)  # or it has ended before the second has started
    code, _, err = fedrec("forget", "run", "--run", run.folder, cwd=tmp_path)
    first.send_signal(signal.SIGCONT)
    assert code == 1 and "forget run` (process " in err.splitlines()[-1]  # a sign of life may be before it
    assert "fedrec:" not in first.communicate(timeout=240)[1] and first.returncode == 0  # signs of life may be there
    erasure = run.folder / "erasure"
    assert verify_certificate(erasure / "certificates" / f"{id_}.json", bundle=erasure / "bundles" / id_).intact
    assert verify_chain(erasure / "certificates").intact
