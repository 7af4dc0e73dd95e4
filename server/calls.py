"""Asking many clients at once, and reading what they answer: each reply is handed on as it comes, until enough are good
or time is up. Here, and nowhere else, a message is written and a reply read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

import numpy as np
from flwr.app import Array, ArrayRecord, Message, RecordDict
from flwr.serverapp import Grid

from fedrec.errors import FedrecError
from fedrec.protocol.answers import Answer, Lacks
from fedrec.protocol.questions import Inform, Question
from fedrec.protocol.record import BadMessage, Content, Record, untrusted
from fedrec.protocol.wire import pack, unpack
from fedrec.text import one_line
from server.run import Run

_PATIENCE = 600.0  # seconds for all clients to answer what none of them may leave out
_POLL = 0.05  # seconds; Flower's own loop sleeps 3

Answered = TypeVar("Answered", bound=Answer)
Accept = Callable[[str, Message], bool]
"""Told (client, reply) of every reply; says whether it is good."""


@dataclass(frozen=True)
class Clients:
    """The clients of a run, as they are reached.

    Attributes:
        nodes: of the grid, by client, sorted.
        announced: by client, its train rows of each shard.
    """

    grid: Grid
    run: Run
    nodes: Mapping[str, int]
    announced: Mapping[str, list[int]] = field(default_factory=dict)

    def of(self, run: Run) -> Self:
        """The same clients in another run over the same homes."""
        return replace(self, run=run)

    def ask(
        self,
        questions: Question | Mapping[str, Question],
        kind: type[Answered],
        heard: Callable[[str], None] = lambda client: None,
    ) -> dict[str, Answered]:
        """What every client answers.

        Args:
            questions: one for all of them, or by client.
            kind: of the answers.
            heard: told of each client as its answer comes.

        Raises:
            FedrecError: a client fails, or does not answer.
            BadMessage: it says what is no answer.
        """
        asked = dict.fromkeys(self.nodes, questions) if isinstance(questions, Question) else questions
        said: dict[str, Answered] = {}

        def accept(name: str, message: Message) -> bool:
            if message.has_error():
                raise FedrecError(f"client {name}: {message.error.reason}")
            try:
                answer = kind.of(content_of(message))
                with untrusted():
                    answer.check(name, self.run.config.shards)
                said[name] = answer
            except BadMessage as reason:
                raise BadMessage(f"client {name} gives no answer: {reason}") from None
            heard(name)
            return True

        if silent := self.send(asked, accept, len(asked), _PATIENCE):
            raise FedrecError(f"client {silent[0]} does not answer: see that it runs, and run this again")
        return said

    def send(self, questions: Mapping[str, Question], accept: Accept, needed: int, deadline: float) -> list[str]:
        """Ask each client its question, and where it lacks facts of the run, tell it those and ask again.

        Args:
            needed: good replies to wait for; later ones are not read.
            deadline: seconds to wait at most.

        Returns:
            The clients that had not answered by then.
        """
        end, good = time.monotonic() + deadline, 0
        informing: dict[str, Question] = {}

        def take(client: str, reply: Message) -> bool:
            nonlocal good
            try:
                lacks = Lacks.of(content_of(reply)).lacks
            except BadMessage:  # it answers what it was asked
                done = accept(client, reply)
                good += done
                return done
            facts = self.run.facts
            informing[client] = Inform(told={name: facts[name] for name in lacks if name in facts})
            return False

        def told(client: str, reply: Message) -> bool:
            return not reply.has_error() or accept(client, reply)

        late = self._replies(questions, take, needed, deadline)
        if informing and good < needed:
            late += self._replies(informing, told, len(informing), end - time.monotonic())
            again = {client: questions[client] for client in informing}
            late += self._replies(again, accept, needed - good, end - time.monotonic())
        return sorted({*late})

    def _replies(self, questions: Mapping[str, Question], accept: Accept, needed: int, deadline: float) -> list[str]:
        """Ask each client its question; as `send`."""
        end, good = time.monotonic() + deadline, 0
        messages = [call(self.run, question, self.nodes[client]) for client, question in questions.items()]
        pushed = dict(zip(self.grid.push_messages(messages), questions, strict=True))
        while pushed and good < needed and (began := time.monotonic()) < end:
            replies = list(self.grid.pull_messages(pushed.keys()))
            for reply in replies:
                client = pushed.pop(reply.metadata.reply_to_message_id, None)
                if client is not None:
                    good += accept(client, reply)
            if not replies:  # a grid that waits itself is asked again at once
                time.sleep(max(0.0, began + _POLL - time.monotonic()))
        return list(pushed.values())


def call(run: Run, question: Question, node: int) -> Message:
    """A message to a client of the run."""
    asked = question.model_copy(update={"run": run.id, "facts": run.fact_hashes if question.informed else {}})
    return Message(carried(asked), dst_node_id=node, message_type=question.kind, group_id=question.kind)


def carried(record: Record) -> RecordDict:
    """A record as a message carries it."""
    data = np.frombuffer(pack(record.content()), np.uint8)
    return RecordDict({"record": ArrayRecord({"bytes": Array(data)})})


def content_of(message: Message) -> Content:
    """What a client says, whatever it is.

    Raises:
        BadMessage: the client failed, or its reply carries no record.
    """
    if message.has_error():
        raise BadMessage(f"it failed: {one_line(message.error.reason)}")
    try:
        data = message.content.array_records["record"]["bytes"].numpy().tobytes()
    except Exception:  # it is the client's own
        raise BadMessage("it carries no record") from None
    return unpack(data)
