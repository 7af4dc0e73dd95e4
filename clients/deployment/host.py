"""A client's processes: the SuperNode that shows its key, and the executor that answers for its home."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from clients.deployment.confirmation import Confirmation
from clients.home import open_home
from fedrec.deployment.flower import environment
from fedrec.deployment.processes import Together
from fedrec.deployment.settings import ClientSettings
from fedrec.files import write_bytes
from fedrec.lock import only_writer

FLOWER = "flower"  # in a home: what its SuperNode keeps, and logs


def serve(settings: ClientSettings, home: Path, say: Callable[[str], None]) -> None:
    """Start everything, and end with the first that ends.

    Raises:
        FedrecError: there is no such home, or a process ended.
    """
    opened = open_home(home.resolve())
    name, folder = opened.name, opened.folder / FLOWER
    folder.mkdir(exist_ok=True)
    known, secret = environment(folder), folder / "secret"
    with only_writer(folder), Together(folder / "logs", say) as processes:
        write_bytes(secret, secrets.token_bytes(32))
        processes.start(
            "executor",
            [sys.executable, "-m", "clients.deployment.executor", f"127.0.0.1:{settings.port}", secret],
            known,
        )
        processes.start(
            "supernode",
            [
                sys.executable, "-m", "clients.deployment.supernode", settings.poll,
                "--superlink", settings.server, "--root-certificates", settings.ca,
                "--auth-supernode-private-key", settings.key, "--isolation", "process",
                "--host", "127.0.0.1", "--port", settings.port, "--superexec-auth-secret-file", secret,
                "--node-config", f"home={json.dumps(str(opened.folder))}",
            ],
            known,
            again=True,  # a server that is not there yet, or a key that is not registered yet
        )  # fmt: skip
        say(f"client {name} answers {settings.server}; logs in {folder / 'logs'}; Ctrl-C ends it")
        processes.watch(Confirmation(settings, opened.folder, say).renew)
