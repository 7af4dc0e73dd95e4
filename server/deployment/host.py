"""The server's processes: SuperLink on 127.0.0.1, the gate in front of it, and whoever is registered kept so."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from fedrec.deployment.flower import environment, script
from fedrec.deployment.processes import Together
from fedrec.deployment.settings import ServerSettings
from fedrec.errors import FedrecError
from fedrec.files import make_folder, write_bytes
from fedrec.lock import only_writer

SETTINGS = "FEDREC_SERVER"
"""Variable by which a ServerApp finds the server's settings."""
CONNECTION = "fedrec"
"""The Flower connection to the server on its own machine, in STATE/flower/config.toml."""


def serve(settings: ServerSettings, path: Path, say: Callable[[str], None]) -> None:
    """Start everything, and end with the first that ends.

    Args:
        path: of the settings.

    Raises:
        FedrecError: a port is taken, or a process ended.
    """
    make_folder(settings.state)
    with only_writer(settings.state), Together(settings.state / "logs") as processes:
        for host, port in ((settings.host, settings.port), ("127.0.0.1", settings.control)):
            _check_free(host, port)
        write_connection(settings)
        known = environment(flower_home(settings)) | {SETTINGS: str(path)}
        processes.start(
            "superlink",
            [
                script("flower-superlink"), "--host", "127.0.0.1", "--port", settings.control,
                "--ssl-ca-certfile", settings.ca, "--ssl-certfile", settings.certificate,
                "--ssl-keyfile", settings.key, "--enable-supernode-auth", "--database", settings.state / "superlink.db",
                "--disable-runtime-dependency-installation",
            ],
            known,
        )  # fmt: skip
        processes.start("gate", [sys.executable, "-m", "server.deployment.gate", path], known)
        from server.deployment.registry import Registry

        for name, port in (("superlink", settings.control), ("gate", settings.port)):
            processes.await_(lambda at=port: _listens(at), name)  # type: ignore[misc]
        registry = Registry(settings, say)
        registry.follow()
        say(f"clients come in on {settings.host}:{settings.port}; logs in {settings.state / 'logs'}; Ctrl-C ends it")
        processes.watch(registry.follow)


def flower_home(settings: ServerSettings) -> Path:
    """What Flower's commands on this machine keep, the connection among it."""
    return settings.state / "flower"


def write_connection(settings: ServerSettings) -> None:
    """As `flwr run . fedrec` reads it."""
    lines = [
        "[superlink]", f'default = "{CONNECTION}"', "", f"[superlink.{CONNECTION}]",
        f'address = "127.0.0.1:{settings.control}"', f"root-certificates = {json.dumps(str(settings.ca))}", "",
    ]  # fmt: skip
    write_bytes(flower_home(settings) / "config.toml", "\n".join(lines).encode())


def _check_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise FedrecError(f"{host}:{port}: {error.strerror}; name another port in server.toml") from None


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
