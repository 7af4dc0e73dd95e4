"""The clients of a deployed federation for a process beside the SuperLink: a Flower run whose ServerApp hands on.

So an erasure is carried out where its ledger and the operator's keys are, by the same executor as in a simulation. The
two processes talk on 127.0.0.1, each after the other has shown that it knows a secret; frames are records of
`fedrec.protocol.wire`, and nothing is unpickled.

STATE/relays/NAME.json     port and secret, its owner's only, as long as it is open
"""

from __future__ import annotations

import queue
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Error, Message, RecordDict
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid

from fedrec.deployment.settings import ServerSettings
from fedrec.errors import FedrecError
from fedrec.file_owner import for_owner_only
from fedrec.files import read_json, write_json
from fedrec.protocol.record import Content
from fedrec.protocol.wire import pack, unpack
from fedrec.text import one_line
from server.deployment.submission import Connection as SuperLink
from server.deployment.submission import Submission
from server.message_grid import MessageGrid

_COMES = 120.0  # seconds for the ServerApp to come
_GOES = 20.0  # seconds for it to go
_KEPT = 900.0  # seconds that a query, in which a person may be named, is kept for a client that does not fetch it
_LOST = "the SuperLink does not hand on any longer: see its log, and run this again"


@contextmanager
def relayed(settings: ServerSettings, superlink: SuperLink) -> Iterator[Grid]:
    """A grid of all nodes of the SuperLink, as long as the context lasts.

    Raises:
        FedrecError: the SuperLink does not answer, or its ServerApp does not come.
    """
    for_owner_only()
    name, secret = f"relay-{secrets.token_hex(4)}", secrets.token_bytes(32)
    path, came = relay_file(settings, name), queue.SimpleQueue[Connection | BaseException]()
    with Listener(("127.0.0.1", 0), authkey=secret) as listener:
        write_json(path, {"port": listener.address[1], "secret": secret.hex()})
        submission = Submission(superlink, {"relay": name})
        running = [
            threading.Thread(target=_handed, args=(work, came), daemon=True)
            for work in (lambda: _accepted(listener), lambda: submission.result(lambda line: None))
        ]
        try:
            for thread in running:
                thread.start()
            with _first(came) as connection:
                yield RelayedGrid(connection)
        finally:
            running[1].join(_GOES)
            if running[1].is_alive():
                submission.stop()
            path.unlink(missing_ok=True)


def relay_file(settings: ServerSettings, name: str) -> Path:
    return settings.state / "relays" / f"{name}.json"


def hand_on(grid: Grid, path: Path) -> None:
    """In the ServerApp: do with its grid what the process asks for that wrote the file, until that ends.

    Raises:
        FedrecError: nobody is there any more.
    """
    try:
        told = read_json(path)
        connection = Client(("127.0.0.1", int(told["port"])), authkey=bytes.fromhex(told["secret"]))
    except (OSError, EOFError, KeyError, ValueError) as error:
        raise FedrecError(f"{path.stem}: whoever asked for it is gone ({one_line(str(error))})") from None
    with connection, suppress(EOFError, ConnectionError):
        while True:
            asked = unpack(connection.recv_bytes())
            try:
                answer = _ANSWERS[asked.values["call"]](grid, asked)
            except Exception as error:  # Flower's, of any kind: it is told where somebody reads it
                answer = Content({"fault": one_line(f"{type(error).__name__}: {error}")}, {})
            connection.send_bytes(pack(answer))


class RelayedGrid(MessageGrid):
    """A grid in another process."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection, self._pushed = connection, dict[str, Message]()

    def get_node_ids(self) -> Iterable[int]:
        return [int(node) for node in self._ask("nodes").values["nodes"]]

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        pushed = list(messages)
        heads = [
            {"node": each.metadata.dst_node_id, "kind": each.metadata.message_type, "group": each.metadata.group_id}
            for each in pushed
        ]
        arrays = {str(place): np.frombuffer(_bytes_of(each), np.uint8) for place, each in enumerate(pushed)}
        ids = [str(id) for id in self._ask("push", {"heads": heads}, arrays).values["ids"]]
        for id, message in zip(ids, pushed, strict=True):
            message.metadata.__dict__["_message_id"] = id
            self._pushed[id] = message
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        answer = self._ask("pull", {"ids": list(message_ids)})
        replies = []
        for place, head in enumerate(answer.values["heads"]):
            if (message := self._pushed.pop(str(head["to"]), None)) is None:
                continue
            if (why := head["error"]) is not None:
                replies.append(Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, str(why)), reply_to=message))
            else:
                replies.append(Message(_carrying(answer.arrays[str(place)]), reply_to=message))
        return replies

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        raise NotImplementedError("server.calls pushes and pulls itself")

    def _ask(self, call: str, values: dict[str, Any] | None = None, arrays: dict[str, Any] | None = None) -> Content:
        try:
            self._connection.send_bytes(pack(Content({"call": call, **(values or {})}, arrays or {})))
            answer = unpack(self._connection.recv_bytes())
        except (EOFError, OSError):
            raise FedrecError(_LOST) from None
        if "fault" in answer.values:
            raise FedrecError(f"the SuperLink: {answer.values['fault']}")
        return answer


def _nodes(grid: Grid, asked: Content) -> Content:
    return Content({"nodes": [int(node) for node in grid.get_node_ids()]}, {})


def _push(grid: Grid, asked: Content) -> Content:
    messages = [
        Message(
            _carrying(asked.arrays[str(place)]), dst_node_id=int(head["node"]), message_type=head["kind"],
            group_id=head["group"], ttl=_KEPT if head["kind"].startswith("query.") else None,
        )
        for place, head in enumerate(asked.values["heads"])
    ]  # fmt: skip
    return Content({"ids": list(grid.push_messages(messages))}, {})


def _pull(grid: Grid, asked: Content) -> Content:
    heads, arrays = [], {}
    for place, reply in enumerate(grid.pull_messages(asked.values["ids"])):
        failed = reply.has_error()
        heads.append({"to": reply.metadata.reply_to_message_id, "error": str(reply.error.reason) if failed else None})
        arrays[str(place)] = np.frombuffer(b"" if failed else _bytes_of(reply), np.uint8)
    return Content({"heads": heads}, arrays)


_ANSWERS = {"nodes": _nodes, "push": _push, "pull": _pull}


def _bytes_of(message: Message) -> bytes:
    """What it carries; nothing where that is no record, which whoever reads it tells."""
    try:
        return message.content.array_records["record"]["bytes"].numpy().tobytes()
    except Exception:  # it is a client's own
        return b""


def _carrying(data: Any) -> RecordDict:
    return RecordDict({"record": ArrayRecord({"bytes": Array(np.asarray(data, np.uint8))})})


def _accepted(listener: Listener) -> Connection:
    """The first that knows the secret."""
    while True:
        with suppress(AuthenticationError):
            return listener.accept()


def _handed(work: Any, came: queue.SimpleQueue[Any]) -> None:
    """What a thread's work gives, or raises."""
    try:
        came.put(work())
    except BaseException as error:
        came.put(error)


def _first(came: queue.SimpleQueue[Any]) -> Connection:
    try:
        found = came.get(timeout=_COMES)
    except queue.Empty:
        raise FedrecError(f"no ServerApp comes within {_COMES:g} s: see the SuperLink's log") from None
    if isinstance(found, FedrecError):
        raise found
    if not isinstance(found, Connection):
        raise FedrecError(_LOST)
    return found
