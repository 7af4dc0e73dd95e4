"""The answers of a round, collected from many clients, some of which fail; and what that took."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from flwr.app import Message

from fedrec.protocol.adapters import Model, size_of, to_arrays
from fedrec.protocol.questions import AboutShards, Question
from fedrec.protocol.record import BadMessage, untrusted
from server.calls import Answered, Clients, content_of
from server.reply_cache import Cached, ReplyCache, question_of
from server.rounds import Dropped


@dataclass(frozen=True)
class Asking:
    """What clients are asked in a round.

    Attributes:
        question: without adapters.
        models: by client, the adapters that it is about.
        sent: the clients that have to be sent them.
        needed: good answers to wait for.
        prefix: of the reason why an answer does not count.
        alone: by client, what it alone is told beside, which makes it no other question.
    """

    question: AboutShards
    models: Mapping[str, Model]
    sent: Collection[str]
    needed: int
    prefix: str = ""
    alone: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass
class Collector:
    """Asks in a round, and adds up what that takes.

    Attributes:
        up, down: bytes of adapters and other arrays that clients have sent and were sent.
        dropped: whose answers do not count.
    """

    clients: Clients
    cache: ReplyCache
    up: int = 0
    down: int = 0
    dropped: list[Dropped] = field(default_factory=list)

    def collect(self, asking: Asking, kind: type[Answered], take: Callable[[str, Answered], None]) -> list[str]:
        """Hand on every client's answer, also what it gave to a server that was killed before the round was finished.

        Args:
            kind: of the answers.
            take: raises BadMessage where an answer is none; whatever else it raises counts as that.

        Returns:
            The clients that had not answered in time.
        """
        calls: dict[str, Question] = {}
        keys = {client: question_of(asking.question.carrying(model)) for client, model in asking.models.items()}
        down: dict[str, int] = {}
        for client, model in asking.models.items():
            if cached := self.cache.read(kind, client, keys[client]):
                self.up += size_of(cached.said.content().arrays)
                take(client, cached.said)
                down[client] = cached.down
            else:
                sent = model if client in asking.sent else []
                calls[client] = asking.question.carrying(sent).model_copy(update=asking.alone.get(client, {}))
                down[client] = size_of(to_arrays(sent))
        self.down += sum(down.values())

        def accept(client: str, message: Message) -> bool:
            try:
                content = content_of(message)
                self.up += size_of(content.arrays)
                answer = kind.of(content)
                with untrusted():
                    take(client, answer)
            except BadMessage as reason:
                self.drop(client, f"{asking.prefix}{reason}")
                return False
            self.cache.write(client, keys[client], Cached(answer, down[client]))
            return True

        needed = asking.needed - (len(asking.models) - len(calls))
        deadline = self.clients.run.config.federation.deadline
        return self.clients.send(calls, accept, needed, deadline) if needed > 0 else []

    def drop(self, client: str, reason: str) -> None:
        self.dropped.append(Dropped(client, reason))
