"""A Flower grid of our own: it makes messages in this process, which Flower takes for the SuperLink's node of run 1."""

from __future__ import annotations

from flwr.app import Message, RecordDict
from flwr.common.constant import SUPERLINK_NODE_ID
from flwr.serverapp import Grid
from flwr.supercore.run import Run as FlowerRun
from flwr.supercore.task_identity import TaskIdentity


def be(node: int) -> None:
    """Whom Flower takes this process for."""
    TaskIdentity.run_id = TaskIdentity.task_id = 1
    TaskIdentity.node_id = node


class MessageGrid(Grid):
    """What such grids have in common: all but how messages go and come."""

    def __init__(self) -> None:
        self._run = FlowerRun.create_empty(run_id=1)
        be(SUPERLINK_NODE_ID)

    def set_run(self, run: FlowerRun) -> None:
        self._run = run

    @property
    def run(self) -> FlowerRun:
        return self._run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        return Message(content, dst_node_id=dst_node_id, message_type=message_type, group_id=group_id, ttl=ttl)
