"""Where clients are many, what a round costs and leaves behind grows with their number, not with its square."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Set

import numpy as np
import pytest
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp

from fedrec.protocol.questions import Inventory
from server import round_record
from server.round_record import among
from server.transports.processes import ProcessGrid
from tests.server.test_grid import replies_of

app = ClientApp()


@app.query("inventory")
def inventory(message: Message, context: Context) -> Message:
    return Message(RecordDict(), reply_to=message)


def test_of_many_clients_no_matrix_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"heating": np.array([0.5, 0.25]), "weights": np.full((2, 2), 0.5)}
    assert among(["a", "b", "c"], ["a", "c"], record) == {
        "heating": [0.5, 0, 0.25],
        "weights": [[0.5, 0, 0.5], [0, 1, 0], [0.5, 0, 0.5]],
    }
    monkeypatch.setattr(round_record, "_MANY", 2)
    assert among(["a", "b", "c"], ["a", "c"], record) == {"heating": [0.5, 0, 0.25]}


def test_messages_are_not_looked_through_once_for_each() -> None:
    """A grid that is asked for the replies to n messages looks at about n of them, whoever asks how often."""
    count = 300
    with ProcessGrid(f"{__name__}:app", [{}] * count, 1) as grid:
        calls = [Message(RecordDict(), dst_node_id=n + 1, message_type=Inventory.kind) for n in range(count)]
        waiting = Counted(grid.push_messages(calls))
        while waiting.left:
            for reply in grid.pull_messages(waiting):
                del waiting.left[reply.metadata.reply_to_message_id]
    assert count <= waiting.looked <= 2 * count


class Counted(Set[str]):
    """Numbers of messages, and how many were looked at."""

    def __init__(self, numbers: Iterable[str]) -> None:
        self.left, self.looked = dict.fromkeys(numbers), 0

    def __contains__(self, number: object) -> bool:
        self.looked += 1
        return number in self.left

    def __iter__(self) -> Iterator[str]:
        for number in list(self.left):
            self.looked += 1
            yield number

    def __len__(self) -> int:
        return len(self.left)


def test_a_grid_that_waits_itself_is_asked_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time between two looks is not slept on top of what a grid waits: processes would be idle meanwhile."""
    really, slept = time.sleep, []
    monkeypatch.setattr("server.calls.time.sleep", slept.append)

    class Waiting(ProcessGrid):
        looks = 0

        def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
            really(0.06)
            self.looks += 1
            return super().pull_messages(message_ids) if self.looks > 3 else []

    with Waiting(f"{__name__}:app", [{}], 1) as grid:
        call = Message(RecordDict(), dst_node_id=1, message_type=Inventory.kind)
        assert replies_of(grid, {"a": call}, lambda *_: True, 1) == []
    assert slept == [0, 0, 0]
