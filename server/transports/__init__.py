"""How the server reaches a run's clients. `flwr run` needs none of these: it hands the ServerApp a grid of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedrec.registry import Registry

if TYPE_CHECKING:
    from server.transports.transport import Transport

TRANSPORTS: Registry[type[Transport]] = Registry(
    {
        "processes": "server.transports.processes:SideBySide",
        "in-process": "server.transports.in_process:InProcess",
    }
)
