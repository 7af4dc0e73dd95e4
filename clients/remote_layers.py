"""A middle that the layer service computes: a session over one stream, which is made anew where it breaks.

Requests are numbered, and the last one is said again over a new stream; the service does nothing twice.
"""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

import grpc
from torch import Tensor

from fedrec.errors import FedrecError
from fedrec.models.adapter import State, to_arrays, to_state
from fedrec.protocol import layers
from fedrec.protocol.record import BadMessage, Record
from fedrec.protocol.wire import pack, unpack
from fedrec.text import one_line
from fedrec.training.middle import Begin
from fedrec.training.state_bytes import Wire, from_bytes, to_bytes

_TRIES = 6  # streams for one request
_PAUSE = 0.2  # seconds before the second; each later one waits twice as long
_LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.RESOURCE_EXHAUSTED)

Replied = TypeVar("Replied", bound=Record)


class RemoteMiddle:
    """The layer service of a round, as one client reaches it. Close it when done."""

    def __init__(
        self,
        ticket: layers.Ticket,
        wire: Wire,
        *,
        patience: float = 120.0,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        """
        Args:
            patience: seconds that an answer may take before the stream counts as broken.
            credentials: for TLS; none = plain.
        """
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        channel = (
            grpc.insecure_channel(ticket.address, options)
            if credentials is None
            else grpc.secure_channel(ticket.address, credentials, options)
        )
        self._channel, self._ticket, self.wire, self._patience = channel, ticket, wire, patience
        self._said: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._answers: grpc.CallIterator[bytes] | None = None

    def open(self, begin: Begin) -> RemoteSession:
        return RemoteSession(self, begin)

    def close(self) -> None:
        self._said.put(None)
        self._channel.close()

    def ask(self, request: layers.LayerRequest, kind: type[Replied]) -> Replied:
        """
        Raises:
            FedrecError: the service cannot be reached, or refuses.
        """
        data, pause = pack(request.content()), _PAUSE
        for left in reversed(range(_TRIES)):
            try:
                return kind.of(unpack(self._exchanged(data)))
            except BadMessage as fault:
                raise FedrecError(f"layer service {self._ticket.address}: its answer is none: {fault}") from None
            except grpc.RpcError as error:
                self._answers = None
                if not left or error.code() not in _LOST:
                    told = one_line(error.details() or error.code().name)
                    raise FedrecError(f"layer service {self._ticket.address}: {told}") from None
                time.sleep(pause)
                pause *= 2
        raise AssertionError

    def _exchanged(self, data: bytes) -> bytes:
        """The answer over the stream that there is, or a new one."""
        if self._answers is None:
            self._said = queue.SimpleQueue()
            stream: Callable[..., grpc.CallIterator[bytes]] = self._channel.stream_stream(layers.METHOD)
            self._answers = stream(_until_none(self._said), metadata=((layers.TOKEN, self._ticket.token),))
        self._said.put(data)
        answers, over = self._answers, threading.Timer(self._patience, self._answers.cancel)
        over.daemon = True
        over.start()
        try:
            answer: bytes = next(answers)
            return answer
        except StopIteration:
            raise _Ended from None
        finally:
            over.cancel()


class _Ended(grpc.RpcError):  # type: ignore[misc]
    """The stream ended without an error."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return "the stream ended"


class RemoteSession:
    """A `fedrec.training.middle.Session` at the service."""

    def __init__(self, remote: RemoteMiddle, begin: Begin) -> None:
        self._remote, self._id, self._number, self.squared_norm = remote, secrets.token_hex(16), 0, 0.0
        states = [begin.start, *([] if begin.anchor is None else [begin.anchor])]
        self._ask(
            layers.Open, layers.Ready, adapters=[to_arrays(state) for state in states], pull=begin.pull, seed=begin.seed
        )

    def forward(self, lengths: Sequence[int], states: Tensor, learn: bool) -> Tensor:
        sent = to_bytes(states, self._remote.wire)
        reply = self._ask(
            layers.Forward, layers.States, lengths=tuple(lengths), shape=tuple(states.shape), learn=learn, states=sent
        )  # fmt: skip
        return self._read(reply, states)

    def backward(self, gradient: Tensor, wanted: bool) -> Tensor | None:
        sent = to_bytes(gradient, self._remote.wire)
        reply = self._ask(layers.Backward, layers.States, wanted=wanted, shape=tuple(gradient.shape), states=sent)
        self.squared_norm = reply.squared_norm
        return self._read(reply, gradient) if wanted else None

    def step(self, rate: float, clip: float) -> None:
        self._ask(layers.Step, layers.Ready, rate=rate, clip=clip)

    def state(self) -> State:
        found: State = to_state(self._ask(layers.Fetch, layers.Adapted).adapters[0])
        return found

    def close(self) -> None:
        """Have it forgotten; a service that is gone, or has forgotten it already, does that by itself."""
        with suppress(FedrecError):
            self._ask(layers.Close, layers.Ready)

    def _ask(self, kind: type[layers.LayerRequest], answer: type[Replied], **said: object) -> Replied:
        self._number += 1
        return self._remote.ask(kind(session=self._id, number=self._number, **said), answer)

    def _read(self, reply: layers.States, like: Tensor) -> Tensor:
        return from_bytes(reply.states, self._remote.wire, like.shape).to(like)


def _until_none(said: queue.SimpleQueue[bytes | None]) -> Iterator[bytes]:
    while (data := said.get()) is not None:
        yield data
