"""A cell that somebody edited stops its own row and no other; a mark is never trusted, nor read as more than it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from fedrec.errors import FedrecError
from fedrec.vault.chain import Link
from tests.unlearning.requests.office import NOW, Office

CELLS = [
    ("scope", "{}"), ("scope", "x"), ("scope", "[" * 100_000), ("state", "wonder"), ("came_from", "x"),
    ("reasons", "[]"), ("identity", "7"), ("identity", '{"result": "x", "method": "\\ud800"}'), ("plan", "7"),
    ("plan", "{}"), ("plan", '{"shards": "x"}'), ("plan", '{"shards": [], "x": NaN}'), ("due_at", "never"),
    ("received_at", "soon"), ("recorded_at", "7"), ("signatures", '{"asked": 7}'),
    ("requester", b"\xff"), ("id", "x"), ("id", b"\xff"),
]  # fmt: skip


def edit(office: Office, id: str, column: str, value: Any) -> None:
    new = "CAST(:value AS TEXT)" if isinstance(value, bytes) else ":value"
    statement = sa.text(f"UPDATE requests SET {column} = {new} WHERE id = :id")
    with office.ledger._database.writing() as connection:
        assert connection.execute(statement, {"value": value, "id": id}).rowcount == 1


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # PostgreSQL takes no such cell
@pytest.mark.parametrize(("column", "value"), CELLS)
def test_a_row_that_cannot_be_read_stops_itself_alone(
    opened: Callable[..., Office], column: str, value: str | bytes
) -> None:
    office = opened()
    bad, good = office.user("a"), office.user("b")
    edit(office, bad.id, column, value)
    (found,) = office.ledger.unreadable()
    assert found.why == f"its {column} cannot be read" and (found.id == bad.id) == (column != "id")
    assert found.id.isascii()
    assert (
        [each.id for each in office.ledger.list()] == [each.id for each in office.ledger.open_requests()] == [good.id]
    )
    assert good.id in [brief.id for brief in office.ledger.status()[0]]
    assert not office.ledger.batches() and not office.ledger.under_way() and not [*office.ledger.unmarked()]
    if column != "id":
        with pytest.raises(FedrecError, match=f"request {bad.id}: its {column} cannot be read; restore"):
            office.ledger.get(bad.id)
    assert office.user("b") == good
    office.refuse(good)
    assert office.keys.days() == {NOW.date()}  # the other may be open
    office.ledger.close()
    assert opened().keys.days() == {NOW.date()}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("cell", ["number = 'x'", "number = -1", "request = X'ff'", "head = 'x'", "sealed = 'x'"])
def test_a_link_that_cannot_be_read_is_said_in_one_line(office: Office, cell: str) -> None:
    good = Link(1, "a", "a" * 64, b"stones")
    for client in ("edited", "other"):
        office.ledger.extend_chain(client, [good])
    assert office.ledger.chain("edited") == [good] and office.ledger.chain_ends()["edited"] == (1, "a" * 64)
    with office.ledger._database.writing() as connection:
        connection.execute(sa.text(f"UPDATE links SET {cell} WHERE client = 'edited'"))
    said = "client edited: an erasure of its chain cannot be read; restore the ledger from a backup"
    ledger = office.ledger
    for ask in (partial(ledger.chain, "edited"), ledger.chain_ends, partial(ledger.extend_chain, "edited", [good])):
        with pytest.raises(FedrecError, match=said):
            ask()
    assert office.ledger.chain("other") == [good]


@pytest.mark.parametrize("mark", ["x", None, "1999-01-01:aa", "2026-02-30:aa"])
def test_an_edited_mark_is_found_and_stops_nothing(office: Office, mark: str | None) -> None:
    first, second = office.user("a"), office.user("b")
    assert not [*office.ledger.unmarked()]
    edit(office, second.id, "mark", mark)
    assert [*office.ledger.unmarked()] == [(second.id, "its mark is not that of what it asks", mark)]
    office.refuse(first)
    assert office.keys.days() == {NOW.date()}  # of the second
    office.refuse(second)
    assert not office.keys.days()


def test_a_request_that_cannot_be_opened_is_found(office: Office) -> None:
    request = office.user("a")
    edit(office, request.id, "pseudonym", "aa")
    assert not [*office.ledger.unmarked()]
    with office.ledger._database.writing() as connection:
        connection.execute(sa.text("UPDATE requests SET mark = 'y'"))
    office.keys.destroy_day(NOW.date())
    ((id, why, _),) = office.ledger.unmarked()
    assert (id, why) == (request.id, "its mark is not that of what it asks")
    path = next((office.keys._requests).glob("*.key"))
    path.write_bytes(bytes(32))
    ((_, why, _),) = office.ledger.unmarked()
    assert why.startswith("its sealed subject or ")


def test_the_key_of_a_day_does_not_outlive_a_kill(
    opened: Callable[..., Office], monkeypatch: pytest.MonkeyPatch
) -> None:
    office = opened()
    request = office.user("a")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(office.keys, "destroy_day", interrupted)
        office.refuse(request)
    assert office.keys.days() and not office.keys.held()
    office.ledger.close()
    assert not opened().keys.days()


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt
