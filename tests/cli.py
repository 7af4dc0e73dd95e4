"""The `fedrec` command as tests call it: in this process, in one that is forked, or as a process of its own."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import re
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from fedrec.cli import cli, main

FEDREC = [sys.executable, "-m", "fedrec.cli"]
ROOT = Path(__file__).parent.parent
_SIGN_OF_LIFE = re.compile(r"(\d s so far|takes its new model|, about \d+ s left|: \d+ of \d+)$")


def as_sets(settings: dict[str, Any]) -> list[str]:
    """Dotted settings as arguments."""
    return [part for key, value in settings.items() for part in ("--set", f"{key}={json.dumps(value)}")]


def as_toml(settings: dict[str, Any], path: Path) -> Path:
    """Dotted settings as a configuration file."""
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()), "utf-8")
    return path


def here(*arguments: object) -> str:
    """What `fedrec` with the arguments prints, in this process, where nothing goes wrong and nothing is remarked."""
    done = CliRunner().invoke(cli, [*map(str, arguments)], catch_exceptions=False)
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return done.stdout


def start(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    """A process that runs `fedrec` with the arguments, on one thread, away from the tests' own group.

    Ctrl-C reaches it also where the tests themselves were started in the background, where a shell has it ignored.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "80"}
    return subprocess.Popen(
        [*FEDREC, *map(str, arguments)], cwd=cwd, env=environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def run(*arguments: object, cwd: Path, limit: int | None = None, **changed: str | None) -> tuple[int, str, str]:
    """As `ended` has it of `fedrec` with the arguments, in a process that is forked with everything imported.

    Args:
        limit: bytes that it can write into a file, as on a full disk.
        changed: variables of its environment; None takes one away.
    """
    environment = {**os.environ, "COLUMNS": "80", **changed}
    known = {name: value for name, value in environment.items() if value is not None}
    context = multiprocessing.get_context("forkserver")
    here, there = context.Pipe()
    process = context.Process(target=_be, args=(there, [*map(str, arguments)], cwd, limit, known))
    process.start()
    assert here.poll(240), "it does not end"
    code, out, err = here.recv()
    process.join()
    return code, out, _but_signs_of_life(err)


def _be(told: Connection, words: list[str], cwd: Path, limit: int | None, environment: dict[str, str]) -> None:
    """Be `fedrec`, and tell what came of it."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    out, err = streams = [io.TextIOWrapper(io.BytesIO(), encoding, write_through=True) for _ in range(2)]
    sys.stdout, sys.stderr, sys.argv, code = out, err, ["fedrec", *words], 0
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        code = 1
    written = [stream.buffer.getvalue().decode(encoding, "replace") for stream in streams]  # type: ignore[attr-defined]
    told.send((code, *written))


def ended(process: subprocess.Popen[str], seconds: float = 240) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a process when it has ended, but for its signs of life.

    On a busy machine they come where on a quiet one nothing takes that long.
    """
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, _but_signs_of_life(err)


def _but_signs_of_life(err: str) -> str:
    return "".join(line for line in err.splitlines(True) if not _SIGN_OF_LIFE.search(line))


def until(happened: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 240) -> None:
    """Wait for something that a process does."""
    end = time.monotonic() + seconds
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def hash_of(run: Path) -> str:
    """The adapter hash in a run's result."""
    return str(json.loads((run / "result.json").read_text())["adapter_hash"])
