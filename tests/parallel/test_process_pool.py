"""Processes side by side: what is done, what fails, what dies, and that none outlives the one it serves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from fedrec.parallel.process_pool import Done, Processes, Tell

ROOT = Path(__file__).parents[2]


def serve(task: Any, tell: Tell) -> Any:
    """What the tests' processes do."""
    match task:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "leave":
            os._exit(3)
        case "fail":
            raise ValueError("it cannot\nbe done")
        case "wait":
            time.sleep(600)
        case ("tell", *said):
            tell(*said)
    return task, os.getpid()


def all_of(processes: Processes, tasks: dict[Any, Any]) -> dict[Any, Done]:
    for key, task in tasks.items():
        processes.submit(key, task)
    found: dict[Any, Done] = {}
    end = time.monotonic() + 120
    while processes.busy:
        assert time.monotonic() < end
        found |= {done.key: done for done in processes.wait(1)}
    return found


@pytest.fixture
def two() -> Iterator[Processes]:
    with Processes(2, serve) as processes:
        yield processes


def test_every_task_is_done_once_by_as_many_processes(two: Processes) -> None:
    found = all_of(two, {key: key * 10 for key in range(9)})
    assert {key: done.result[0] for key, done in found.items()} == {key: key * 10 for key in range(9)}
    assert {done.fault for done in found.values()} == {None}
    assert 1 <= len({done.result[1] for done in found.values()} - {os.getpid()}) <= 2


def test_what_is_told_comes_before_the_result() -> None:
    told: list[Any] = []
    with Processes(1, serve, lambda *said: told.append(said)) as processes:
        all_of(processes, {0: ("tell", "client-0", 3, 8)})
    assert told == [("client-0", 3, 8)]


@pytest.mark.parametrize(
    ("deadly", "why"), [("die", "was killed by signal 9"), ("leave", "ended with exit code 3"), ("fail", "it cannot")]
)
def test_a_task_that_fails_or_kills_its_process_fails_alone(two: Processes, deadly: str, why: str) -> None:
    found = all_of(two, {0: "a", 1: deadly, 2: "b", 3: deadly, 4: deadly, 5: "c"})
    assert [found[key].result[0] for key in (0, 2, 5)] == ["a", "b", "c"]
    assert all(why in str(found[key].fault) for key in (1, 3, 4))
    assert all_of(two, {6: "d"})[6].result[0] == "d"


def test_what_nobody_waits_for_is_not_begun(two: Processes) -> None:
    for key in range(20):
        two.submit(key, ("tell",))
    two.forget()
    left = 0
    while two.busy:
        left += len(two.wait(1))
    assert left <= 2


_PARENT = """
import time
from fedrec.parallel.process_pool import Processes
from tests.parallel.test_process_pool import serve

if __name__ == "__main__":
    with Processes(2, serve) as processes:
        for key, task in enumerate(("wait", "wait", "wait")):
            processes.submit(key, task)
        print("begun", flush=True)
        while True:
            processes.wait(1)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_none_outlives_the_process_it_serves(how: signal.Signals) -> None:
    """Not even where that one cannot do anything about it any more."""
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert parent.stdout is not None
    assert parent.stdout.readline() == "begun\n"
    family = psutil.Process(parent.pid).children(recursive=True)
    assert len(family) >= 3, "two, and the one they are forked from"
    parent.send_signal(how)
    parent.wait(60)
    assert psutil.wait_procs(family, timeout=60)[1] == []


def test_a_stop_while_processes_begin_to_import_is_no_traceback(tmp_path: Path) -> None:
    """Under a terminal Ctrl-C reaches every process."""
    (tmp_path / "slow.py").write_text("import time, pathlib\npathlib.Path('begun').touch()\ntime.sleep(60)\n")
    code = (
        "import time; from fedrec.parallel.process_pool import prepare; prepare('slow')\n"
        "try:\n time.sleep(60)\nexcept KeyboardInterrupt:\n print('stopped')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"}, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    end = time.monotonic() + 120
    while not (tmp_path / "begun").exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(timeout=120)
    os.killpg(process.pid, signal.SIGKILL)  # what imports still
    assert process.communicate() == ("stopped\n", "")
