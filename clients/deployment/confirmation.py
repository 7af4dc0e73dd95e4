"""Asks the server what may be answered from, of each run that is here: the lease goes on, or a shard is withdrawn."""

from __future__ import annotations

import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from clients import lease
from fedrec.deployment.settings import ClientSettings
from fedrec.errors import FedrecError
from fedrec.files import read_json

_EVERY = 5.0  # seconds
_SECONDS = 5.0  # for the server to answer


class Confirmation:
    """The lease of a home on what it serves."""

    def __init__(self, settings: ClientSettings, home: Path, say: Callable[[str], None]) -> None:
        self._lease, self._home, self._say, self._due = settings.lease, home, say, 0.0
        self._server = httpx.Client(
            base_url=f"https://{settings.server}", timeout=_SECONDS, trust_env=False,
            verify=ssl.create_default_context(cafile=str(settings.ca)),
        )  # fmt: skip

    def renew(self) -> None:
        """Of each run, where it is time; a server that does not answer is asked again."""
        if time.monotonic() < self._due:
            return
        for folder in sorted((self._home / "runs").glob("*")):
            self._renew(folder)
        self._due = time.monotonic() + _EVERY

    def _renew(self, folder: Path) -> None:
        try:
            answer = self._server.get(f"/v1/runs/{folder.name}")
            withheld = [int(shard) for shard in answer.json()["withheld"]] if answer.status_code == 200 else None
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            withheld = None
        if withheld is None:
            return
        if left := sorted(_named(folder).intersection(withheld)):
            shown = ", ".join(map(str, left))
            try:
                _withdraw(self._home, folder.name, left)
            except (FedrecError, OSError, subprocess.SubprocessError) as error:
                self._say(f"run {folder.name}: shards {shown} are withdrawn, and here they are not: {error}")
                return  # the lease goes on for nobody who does not obey
            self._say(f"run {folder.name}: shards {shown} are withdrawn by the server")
        lease.renew(folder, self._lease)


def _named(folder: Path) -> set[int]:
    """The shards that a manifest names."""
    path = folder / "manifest.json"
    entries = read_json(path)["shards"] if path.exists() else []
    return {shard for shard, entry in enumerate(entries) if entry is not None}


def _withdraw(home: Path, run: str, shards: Sequence[int]) -> None:
    """In a process of its own, as it takes what the process that watches the others does without."""
    words = [sys.executable, "-m", "clients.deployment.withdrawing", str(home), run, *map(str, shards)]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
