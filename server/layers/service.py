"""The layer service over gRPC: one bidirectional stream a client and adapter, bytes of records both ways.

There is no generated code: the handler takes and gives bytes, and `fedrec.protocol.layers` says of what.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import grpc

from fedrec.console.progress import say
from fedrec.protocol.layers import METHOD, TOKEN, Ticket
from fedrec.protocol.record import BadMessage
from server.layers.sessions import Sessions
from server.layers.tokens import Tokens

_PER_CLIENT = 4  # streams: one of which works, and what a lost connection left


class LayerService:
    """Serves sessions while it is open."""

    def __init__(
        self,
        sessions: Sessions,
        *,
        largest: int,
        streams: int,
        address: str = "127.0.0.1:0",
        patience: float = 120.0,
        seconds: float = 3600.0,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        """
        Args:
            largest: bytes of a message.
            streams: at a time; further ones are refused.
            address: host:port to listen at; port 0 = a free one.
            patience: seconds without a request after which a stream is ended and a session forgotten.
            seconds: for which a ticket is good.
            credentials: for TLS; none = plain, for this machine alone.
        """
        self._sessions, self._patience, self._tokens = sessions, patience, Tokens(seconds)
        self._streams: dict[int, tuple[str, float, grpc.ServicerContext]] = {}
        self._lock, self._over = threading.Lock(), threading.Event()
        options = {
            "grpc.max_receive_message_length": largest,
            "grpc.max_send_message_length": -1,
            "grpc.so_reuseport": 0,
        }
        self._pool = ThreadPoolExecutor(streams, thread_name_prefix="layers")
        self._server = grpc.server(self._pool, options=list(options.items()), maximum_concurrent_rpcs=streams)
        service, name = METHOD.strip("/").split("/")
        handler = grpc.stream_stream_rpc_method_handler(self._train)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {name: handler}),))
        host, _, _ = address.rpartition(":")
        port = (
            self._server.add_insecure_port(address)
            if credentials is None
            else self._server.add_secure_port(address, credentials)
        )
        self.address = f"{host}:{port}"

    def __enter__(self) -> Self:
        self._server.start()
        threading.Thread(target=self._watch, name="layers-watch", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.stop(0).wait()
        self._pool.shutdown()
        self._sessions.drop(0.0)

    def ticket(self, client: str) -> Ticket:
        """How a client reaches it."""
        return Ticket(address=self.address, token=self._tokens.of(client))

    def _train(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        client = self._welcome(context)
        try:
            for data in requests:
                self._heard(context, client)
                try:
                    yield self._sessions.answer(client, data)
                except BadMessage as fault:
                    say(f"layer service: client {client}: {fault}")
                    context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(fault))
        finally:
            with self._lock:
                self._streams.pop(id(context), None)

    def _welcome(self, context: grpc.ServicerContext) -> str:
        """Whose stream it is; it ends here where it is nobody's, or one too many."""
        metadata: dict[str, Any] = {each.key: each.value for each in context.invocation_metadata()}
        try:
            client = self._tokens.client(str(metadata.get(TOKEN, "")))
        except BadMessage as fault:
            say(f"layer service: {context.peer()}: {fault}")
            context.abort(grpc.StatusCode.UNAUTHENTICATED, str(fault))
        self._heard(context, client)
        with self._lock:
            many = Counter(whose for whose, _, _ in self._streams.values())[client] > _PER_CLIENT
        if many:
            with self._lock:
                self._streams.pop(id(context), None)
            say(f"layer service: client {client} has more than {_PER_CLIENT} streams")
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"a client has {_PER_CLIENT} streams at most")
        return client

    def _heard(self, context: grpc.ServicerContext, client: str) -> None:
        with self._lock:
            self._streams[id(context)] = (client, time.monotonic(), context)

    def _watch(self) -> None:
        """End what stalls."""
        while not self._over.wait(self._patience / 4):
            with self._lock:
                quiet = [each for each in self._streams.values() if time.monotonic() - each[1] > self._patience]
            for client, _, context in quiet:
                say(f"layer service: client {client} has said nothing for {self._patience:g} s")
                context.cancel()
            for client in self._sessions.drop(self._patience):
                say(f"layer service: client {client} left a session alone")
