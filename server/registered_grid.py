"""The grid of a deployed federation: of all nodes those that have a registered key, each with its client's name."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.run import Run as FlowerRun

_MOMENT = 0.25  # seconds


class RegisteredGrid(Grid):
    """Flower's grid, in which nobody else is."""

    def __init__(self, grid: Grid, nodes: Mapping[str, int]) -> None:
        """
        Args:
            nodes: by client's name.
        """
        self._grid = grid
        self.nodes = dict(nodes)

    def only(self, names: Iterable[str]) -> RegisteredGrid:
        """The same with some of the clients, as far as they are registered."""
        return RegisteredGrid(self._grid, {name: self.nodes[name] for name in names if name in self.nodes})

    def connected(self) -> tuple[str, ...]:
        """Those that are there now, sorted."""
        there = set(self._grid.get_node_ids())
        return tuple(sorted(name for name, node in self.nodes.items() if node in there))

    def set_run(self, run: FlowerRun) -> None:
        self._grid.set_run(run)

    @property
    def run(self) -> FlowerRun:
        return self._grid.run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        return self._grid.create_message(content, message_type, dst_node_id, group_id, ttl)

    def get_node_ids(self) -> Iterable[int]:
        return [self.nodes[name] for name in self.connected()]

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        return self._grid.push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """The replies that are there; none of them after a moment, as each look is a request to the SuperLink."""
        replies = list(self._grid.pull_messages(message_ids))
        if not replies:
            time.sleep(_MOMENT)
        return replies

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        return self._grid.send_and_receive(messages, timeout=timeout)
