"""Asking many clients at once, and reading what they answer: each reply is handed on as it comes, until enough are good
or time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid

from fedrec import messages
from fedrec.errors import FedrecError
from fedrec.protocol.adapters import Model
from fedrec.store import Run
from fedrec.text import one_line
from server.replies import BadReply

_PATIENCE = 600.0  # seconds for all clients to answer what none of them may leave out
_POLL = 0.05  # seconds; Flower's own loop sleeps 3


def call(kind: str, run: Run, node: int, model: Model | None = None, **content: Any) -> Message:
    """A message to a client: what it is asked, and the adapters that it is asked about."""
    record = RecordDict({messages.CONFIG: ConfigRecord({"run": str(run.folder.resolve()), **content})})
    if model is not None:
        arrays = messages.to_arrays(model)
        record[messages.ARRAYS] = ArrayRecord({name: Array(array) for name, array in arrays.items()})
    return Message(record, dst_node_id=node, message_type=kind, group_id=str(content.get("round", kind)))


def ask(
    grid: Grid, calls: Mapping[str, Message], accept: Callable[[str, Message], bool], needed: int, deadline: float
) -> list[str]:
    """Send each client its message.

    Args:
        accept: told (client, reply) of every reply; says whether it is good.
        needed: good replies to wait for; later ones are not read.
        deadline: seconds to wait at most.

    Returns:
        The clients that had not answered by then.
    """
    end = time.monotonic() + deadline
    pushed = dict(zip(grid.push_messages(list(calls.values())), calls, strict=True))
    good = 0
    while pushed and good < needed and time.monotonic() < end:
        replies = list(grid.pull_messages(list(pushed)))
        for reply in replies:
            client = pushed.pop(reply.metadata.reply_to_message_id, None)
            if client is not None:
                good += accept(client, reply)
        if not replies:
            time.sleep(_POLL)
    return sorted(pushed.values())


def answers(grid: Grid, calls: Mapping[str, Message]) -> dict[str, dict[str, Any]]:
    """The facts that every client of the calls answers with.

    Raises:
        FedrecError: a client fails, or does not answer.
    """
    said: dict[str, dict[str, Any]] = {}

    def accept(name: str, message: Message) -> bool:
        if message.has_error():
            raise FedrecError(f"client {name}: {message.error.reason}")
        said[name] = dict(message.content.config_records[messages.CONFIG])
        return True

    if silent := ask(grid, calls, accept, len(calls), _PATIENCE):
        raise FedrecError(f"client {silent[0]} does not answer: see that it runs, and run this again")
    return said


def records(message: Message) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Arrays, facts and metrics of a reply; whatever is no record of the right kind reads as empty."""
    content = message.content
    arrays = content.array_records.get(messages.ARRAYS) or ArrayRecord()
    facts = content.config_records.get(messages.CONFIG) or ConfigRecord()
    metrics = content.metric_records.get(messages.METRICS) or MetricRecord()
    try:
        return {name: array.numpy() for name, array in arrays.items()}, dict(facts), dict(metrics)
    except Exception as error:  # the bytes of an array are the client's own
        raise BadReply(f"an array cannot be read: {one_line(str(error))}") from None
