"""One writer a run. The lock is the operating system's: it ends with the process that holds it, however that ends, so
none is ever stale; the file beside it says who holds it.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice, takewhile
from pathlib import Path

from filelock import FileLock, Timeout

from fedrec.errors import FedrecError, UsageError
from fedrec.files import read_json, write_json

_LOCK, _HOLDER = "writer.lock", "writer.json"
_FILES = frozenset({_LOCK, _HOLDER})


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Be the only process that changes what is in a folder, which is made if it is not there.

    A folder that was made for it and holds nothing at the end is removed again; in one that turns out to be in use
    for something else, no lock is left.

    Raises:
        FedrecError: another process changes it; the message says which, since when and where.
        UsageError: nothing can be written there.
    """
    made, new = not folder.exists(), not (folder / _LOCK).exists()
    if not made and not folder.is_dir():
        raise UsageError(f"{folder} is a file: choose another --out")
    lock = FileLock(folder / _LOCK, timeout=0, mode=0o600)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise FedrecError(
            f"{folder} is being changed by {_holder(folder)}: wait until that has ended, or end it"
        ) from None
    except OSError as error:
        raise UsageError(f"--out {folder}: cannot be written ({error.strerror}); choose another folder") from None
    try:
        write_json(folder / _HOLDER, _self())
        yield
    except UsageError:
        if new:
            (folder / _LOCK).unlink(missing_ok=True)
        raise
    finally:
        (folder / _HOLDER).unlink(missing_ok=True)
        if made and not content(folder):
            shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def content(folder: Path) -> list[Path]:
    """What is in a folder besides its lock; nothing where there is no folder."""
    return [path for path in folder.iterdir() if path.name not in _FILES] if folder.is_dir() else []


def empty(folder: Path) -> None:
    """Remove everything in a folder but its lock, and the folder where it has none."""
    for path in content(folder):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def _self() -> dict[str, str | int]:
    words = islice(takewhile(lambda word: not word.startswith("-"), sys.argv[1:]), 2)
    command = " ".join([Path(sys.argv[0]).name, *words])
    since = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    return {"command": command, "process": os.getpid(), "host": socket.gethostname(), "since": since}


def _holder(folder: Path) -> str:
    with suppress(FedrecError, KeyError, TypeError):
        found = read_json(folder / _HOLDER)
        return f"`{found['command']}` (process {found['process']} on {found['host']}, since {found['since']})"
    return "another process"
