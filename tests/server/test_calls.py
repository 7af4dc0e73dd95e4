"""The two ends of a message: what one side writes the other reads, and what is no record is one line on either side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Error, Message, MetricRecord, RecordDict
from hypothesis import given, settings

from clients import app as client
from fedrec.errors import FedrecError
from fedrec.protocol.answers import ChainAnswer
from fedrec.protocol.facts import FACTS
from fedrec.protocol.questions import QUESTIONS, Chain, Question, Train
from fedrec.protocol.record import BadMessage, Content, Record
from fedrec.protocol.wire import pack
from server import calls
from server.simulated_run import SimulatedRun
from server.transports.in_process import LocalGrid
from tests.conftest import Settings
from tests.protocol.test_records import records, same
from tests.server.test_federation import made


@pytest.fixture(scope="module", autouse=True)
def process() -> None:
    """Flower makes messages only in a process that a grid has said who it is."""
    LocalGrid(client.app, [{}])


def message(content: RecordDict, kind: str = "query.chain") -> Message:
    return Message(content, dst_node_id=1, message_type=kind)


@given(records())
@settings(max_examples=30)
def test_what_one_side_writes_the_other_reads(record: Record) -> None:
    for written, read in ((calls.carried, client.content_of), (client.carried, calls.content_of)):
        assert same(type(record).of(read(message(written(record)))), record)


JUNK: dict[str, Callable[[], RecordDict]] = {
    "nothing": RecordDict,
    "another record": lambda: RecordDict({"metrics": MetricRecord({"a": 1.0})}),
    "values instead of arrays": lambda: RecordDict({"record": ConfigRecord({"bytes": b"abc"})}),
    "no bytes": lambda: RecordDict({"record": ArrayRecord({"other": Array(np.zeros(3, np.uint8))})}),
    "an array that is none": lambda: of_bytes(Array(dtype="uint8", shape=(4,), stype="numpy.ndarray", data=b"\x93")),
    "a pickle": lambda: of_bytes(Array(np.zeros(3, np.uint8)), b"\x80\x04N."),
    "empty": lambda: of_bytes(Array(np.zeros(0, np.uint8))),
    "numbers": lambda: of_bytes(Array(np.zeros((3, 3)))),
    "no version": lambda: of_bytes(Array(np.frombuffer(pack(Content({"record": "Chain"}, {})), np.uint8))),
}


def of_bytes(array: Array, data: bytes | None = None) -> RecordDict:
    if data is not None:
        array.data = data
    return RecordDict({"record": ArrayRecord({"bytes": array})})


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("kind", QUESTIONS)
def test_a_client_answers_what_is_no_question_with_one_line(junk: str, kind: type[Question]) -> None:
    grid = LocalGrid(client.app, [{}])
    (reply,) = grid.send_and_receive([message(JUNK[junk](), kind.kind)])
    assert reply.has_error() and len(str(reply.error.reason).splitlines()) == 1


@pytest.mark.parametrize("junk", JUNK)
def test_the_server_takes_what_is_no_answer_for_one_line(junk: str) -> None:
    with pytest.raises(BadMessage) as bad:
        ChainAnswer.of(calls.content_of(message(JUNK[junk]())))
    assert len(str(bad.value).splitlines()) == 1


def test_a_failure_is_one_line_as_well() -> None:
    with pytest.raises(BadMessage, match=r"^it failed: no space left on the disk$"):
        calls.content_of(Message(Error(1, "no space\nleft on the disk"), reply_to=message(RecordDict())))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> SimulatedRun:
    return made(tmp_path_factory.mktemp("calls") / "run", small())


def answering(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Message, Context], Message]:
    """The real client app, whose values are changed on the way back."""

    def answer(asked: Message, context: Context) -> Message:
        content = calls.content_of(client.app(asked, context))
        changed = pack(Content(change(dict(content.values)), content.arrays))
        return Message(of_bytes(Array(np.frombuffer(changed, np.uint8))), reply_to=asked)

    return answer


def test_a_client_of_another_version_is_named_with_the_mend(run: SimulatedRun) -> None:
    grid = LocalGrid(answering(lambda values: {**values, "version": 2}), run.nodes())  # type: ignore[arg-type]
    with pytest.raises(
        FedrecError, match=r"^client client-0 gives no answer: ChainAnswer has version 2, and only 1 is"
    ):
        calls.Clients(grid, run, {"client-0": 1}, {}).ask(Chain(after=0), ChainAnswer)


def test_a_server_of_another_version_is_told_so(run: SimulatedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = LocalGrid(client.app, run.nodes())
    with monkeypatch.context() as patch:
        patch.setattr(Train, "version", 3)
        asked = calls.call(run, Train(round=1, shards=(0,)), 1)
    (reply,) = grid.send_and_receive([asked])
    assert "Train has version 3, and only 2 is known here: install the same fedrec" in str(reply.error.reason)


def test_run_and_facts_are_named_by_one_function(run: SimulatedRun) -> None:
    content = client.content_of(calls.call(run, Chain(after=3), 1))
    assert content.values["run"] == run.id and set(content.values["facts"]) == set(FACTS)
    assert Chain(after=3).content().values["run"] == "" and Chain(after=3).content().values["facts"] == {}


def test_a_node_that_says_no_inventory_is_named(run: SimulatedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    from server.handshake import meet

    grid = LocalGrid(answering(lambda values: {**values, "users": "many"}), run.nodes())  # type: ignore[arg-type]
    with pytest.raises(FedrecError, match="are not there: node 1 gives no answer: users 'many' is not an integer"):
        meet(grid, run)
    grid = LocalGrid(answering(lambda values: {**values, "examples": []}), run.nodes())  # type: ignore[arg-type]
    with pytest.raises(FedrecError, match="client client-0 does not say how many rows it has in each shard"):
        meet(grid, run)
