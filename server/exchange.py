"""Asking many clients at once: each reply is handed on as it comes, until enough are good or time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from flwr.app import Message
from flwr.serverapp import Grid

_POLL = 0.05  # seconds; Flower's own loop sleeps 3


def ask(
    grid: Grid, messages: Mapping[str, Message], accept: Callable[[str, Message], bool], needed: int, deadline: float
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
    pushed = dict(zip(grid.push_messages(list(messages.values())), messages, strict=True))
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
