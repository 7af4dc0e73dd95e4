"""Clients in processes of their own: who answers, in which order, and what becomes of one that dies."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from fedrec.protocol.questions import Inventory, Train
from server.calls import Accept, Clients
from server.transports.processes import ProcessGrid

app = ClientApp()


@app.query("inventory")
def inventory(message: Message, context: Context) -> Message:
    return _reply(message, pid=os.getpid())


@app.train("lora")
def train(message: Message, context: Context) -> Message:
    said = message.content.config_records["said"]
    with Path(str(said["log"])).open("a") as log:
        log.write(f"{message.metadata.dst_node_id} begins\n")
        log.flush()
        time.sleep(float(str(said["seconds"])))
        if said["dies"]:
            os.kill(os.getpid(), signal.SIGKILL)
        log.write(f"{message.metadata.dst_node_id} ends\n")
    known = context.state.config_records.setdefault("known", ConfigRecord({"messages": 0}))
    known["messages"] = int(str(known["messages"])) + 1
    return _reply(message, pid=os.getpid(), messages=known["messages"])


def _reply(message: Message, **said: int | float | str) -> Message:
    return Message(RecordDict({"said": ConfigRecord(dict(said))}), reply_to=message)


@pytest.fixture(params=[False, True], ids=["as-they-come", "in-order"])
def grid(request: pytest.FixtureRequest) -> Iterator[ProcessGrid]:
    with ProcessGrid(f"{__name__}:app", [{}] * 3, 2, in_order=request.param) as grid:
        yield grid


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def call(node: int, log: Path, seconds: float = 0.0, dies: bool = False, kind: str = Train.kind) -> Message:
    said = ConfigRecord({"log": str(log), "seconds": seconds, "dies": dies})
    return Message(RecordDict({"said": said}), dst_node_id=node, message_type=kind)


def asked(grid: ProcessGrid, *calls: Message, needed: int | None = None) -> list[Message]:
    """The replies, in the order in which they came."""
    found: list[Message] = []

    def accept(_: str, reply: Message) -> bool:
        found.append(reply)
        return True

    replies_of(grid, {str(number): each for number, each in enumerate(calls)}, accept, needed or len(calls))
    return found


def replies_of(grid: ProcessGrid, calls: dict[str, Message], accept: Accept, needed: int) -> list[str]:
    """Messages sent as they are, instead of questions that are put into some; who had not answered by the end."""
    with patch("server.calls.call", lambda run, question, node: question):
        clients = Clients(grid, None, dict.fromkeys(calls, 1))  # type: ignore[arg-type]
        return clients._replies(calls, accept, needed, 60)  # type: ignore[arg-type]


def said(reply: Message) -> ConfigRecord:
    return reply.content.config_records["said"]


def test_replies_come_as_they_are_there_or_in_the_order_of_the_messages(
    grid: ProcessGrid, log: Path, request: pytest.FixtureRequest
) -> None:
    replies = asked(grid, call(2, log, 1.0), call(1, log), call(3, log))
    order = [reply.metadata.src_node_id for reply in replies]
    assert order == ([2, 1, 3] if "in-order" in request.node.name else [1, 3, 2])
    assert len({said(reply)["pid"] for reply in replies} - {os.getpid()}) == 2


def test_only_what_computes_is_done_elsewhere(grid: ProcessGrid, log: Path) -> None:
    (reply,) = asked(grid, call(1, log, kind=Inventory.kind))
    assert said(reply)["pid"] == os.getpid()


def test_a_client_keeps_its_context_whichever_process_answers(grid: ProcessGrid, log: Path) -> None:
    for number in (1, 2, 3):
        replies = asked(grid, *(call(node, log) for node in (1, 2, 3)))
        assert [said(reply)["messages"] for reply in replies] == [number] * 3


def test_a_client_whose_process_dies_answers_with_that_and_then_again(grid: ProcessGrid, log: Path) -> None:
    replies = asked(grid, call(1, log), call(2, log, dies=True), call(3, log))
    (failed,) = [reply for reply in replies if reply.has_error()]
    assert (len(replies), failed.metadata.src_node_id) == (3, 2)
    assert "its process was killed by signal 9" in str(failed.error.reason)
    assert not any(reply.has_error() for reply in asked(grid, *(call(node, log) for node in (1, 2, 3))))


def test_a_client_is_at_one_message_at_a_time_and_what_nobody_awaits_is_not_begun(grid: ProcessGrid, log: Path) -> None:
    """A client that was not waited for must not write what it is asked next before it is done."""
    assert len(asked(grid, call(1, log), call(2, log, 1.0), call(3, log, 9.0), needed=1)) == 1
    replies = asked(grid, call(2, log), call(1, log))
    assert {reply.metadata.src_node_id for reply in replies} == {2, 1}
    lines = log.read_text().splitlines()
    of_two = [line for line in lines if line.startswith("2")]
    assert of_two == ["2 begins", "2 ends"] * 2
