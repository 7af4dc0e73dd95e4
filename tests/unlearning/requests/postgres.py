"""A PostgreSQL server of the tests' own: in a temporary folder, on a socket there, gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin"))  # Debian puts no server on the path


def server_programs() -> Path | None:
    """The folder of `initdb` and `postgres`."""
    found = shutil.which("initdb")
    return Path(found).parent if found else next(reversed(INSTALLED), None)


class Server:
    """A running server whose socket is in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def empty_database(self) -> str:
        """The URL of the one database, without what was in it."""
        with psycopg.connect(host=str(self._folder), user="postgres", autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        return f"postgresql://postgres@/postgres?host={self._folder}"


@contextmanager
def running_server(programs: Path) -> Iterator[Server]:
    """A server that answers."""
    with tempfile.TemporaryDirectory(prefix="pg") as place:
        folder = Path(place)
        user: dict[str, Any] = {}
        if os.getuid() == 0:  # the server refuses to be root
            user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(folder, "nobody", "nogroup")
        initdb = [
            str(programs / "initdb"),
            "-D",
            "data",
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-sync",
            "--no-locale",
            "-E",
            "UTF8",
        ]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)
        serve = [str(programs / "postgres"), "-D", "data", "-k", place, "-h", "", "-c", "shared_buffers=16MB", "-F"]
        with (folder / "log").open("wb") as log:
            server: subprocess.Popen[bytes] = subprocess.Popen(serve, stdout=log, stderr=log, cwd=folder, **user)
        try:
            _wait(folder, server)
            yield Server(folder)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)


def _wait(folder: Path, server: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        try:
            psycopg.connect(host=str(folder), user="postgres").close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
    raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text()[-800:]}")
