"""Who may come in: the public keys in a folder, kept registered with the SuperLink, and which of its nodes each one is.

STATE/nodes.json    by client's name, its node; what a client calls itself in a message is held against this
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from flwr.proto.control_pb2 import ListNodesRequest, RegisterNodeRequest, UnregisterNodeRequest
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor

from fedrec.deployment.keys import registered_keys
from fedrec.deployment.settings import ServerSettings
from fedrec.errors import FedrecError
from fedrec.files import read_json, write_json

_GONE = "unregistered"


def nodes_of(settings: ServerSettings) -> dict[str, int]:
    """By name, the node of each registered client."""
    path = settings.state / "nodes.json"
    if not path.exists():
        raise FedrecError(f"{path}: nobody is registered yet; `fedrec deploy server` registers whose keys are there")
    return {str(name): int(node) for name, node in read_json(path).items()}


class Registry:
    """Keeps the SuperLink's nodes those of the folder."""

    def __init__(self, settings: ServerSettings, say: Callable[[str], None]) -> None:
        self._settings, self._say = settings, say
        self._seen: dict[Path, int] | None = None
        self._control = ControlHttpClient.from_server_address(
            f"127.0.0.1:{settings.control}", insecure=False, root_certificates=settings.ca.read_bytes(),
            interceptors=[RuntimeVersionHttpInterceptor(component_name="flwr CLI")],
        )  # fmt: skip

    def follow(self) -> None:
        """Register and unregister what has changed in the folder since the last time."""
        seen = {path: path.stat().st_mtime_ns for path in self._settings.clients.glob("*.pub")}
        if seen == self._seen:
            return
        try:
            self._sync(registered_keys(self._settings.clients))
        except FedrecError as error:
            if self._seen is None:
                raise
            self._say(f"who is registered stays as it was: {error}")
        except httpx.HTTPError as error:
            raise FedrecError(f"the SuperLink does not register clients: {error}") from None
        self._seen = seen

    def _sync(self, wanted: Mapping[str, bytes]) -> None:
        there = self._there()
        for key in there.keys() - set(wanted.values()):
            self._control.UnregisterNode(UnregisterNodeRequest(node_id=there[key]))
        for name, key in wanted.items():
            if key not in there:
                there[key] = self._control.RegisterNode(RegisterNodeRequest(public_key=key, name=name)).node_id
        path = self._settings.state / "nodes.json"
        before = set(read_json(path)) if path.exists() else set[str]()
        write_json(path, {name: str(there[key]) for name, key in wanted.items()})
        if came := sorted(set(wanted) - before):
            self._say(f"registered: {', '.join(came)}")
        if went := sorted(before - set(wanted)):
            self._say(f"not registered any more: {', '.join(went)}")

    def _there(self) -> dict[bytes, int]:
        """The node of each key that the SuperLink knows."""
        nodes: Any = self._control.ListNodes(ListNodesRequest()).nodes_info
        return {node.public_key: int(node.node_id) for node in nodes if node.status != _GONE}
