"""A repeat is known by a mark of what an open request asks, and nobody is found by it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from fedrec.data.selection import Selection
from tests.unlearning.requests.office import NOW, PERSON, Office, dumped
from unlearning.audit.canonical import canonical
from unlearning.requests.schema import requests
from unlearning.requests.scope import described
from unlearning.requests.states import State


def test_nobody_is_found_by_trying_everybody(opened: Callable[..., Office], url: str, tmp_path: Path) -> None:
    """With the ledger as it was while the request was open, all keys that are left, and a list of all people."""
    office = opened()
    everybody = [f"{PERSON}-{number}" for number in range(20)]
    request = office.user(everybody[7])
    before = dumped(url)
    office.bring(request, State.CLOSED)
    office.ledger.destroy_subject(request.id)
    keys = [path.read_bytes() for path in (tmp_path / "keys").rglob("*") if path.is_file()]
    for person in everybody:
        said = [f"user:{person}".encode(), person.encode(), canonical(described(Selection(users=(person,)), None))]
        tried = [hashlib.sha256(text).hexdigest() for text in said]
        tried += [hmac.digest(key, text, "sha256").hex() for key in (*keys, b"") for text in said]
        assert not [digest for digest in tried if digest in before + dumped(url)]
    assert not keys


def test_a_repeat_is_known_after_another_process_asked(opened: Callable[..., Office]) -> None:
    office, other = opened(), opened()
    first = other.user(PERSON)
    assert office.user(PERSON, now=NOW + timedelta(days=9)).id == first.id
    office.refuse(first)
    assert other.user(PERSON).id != first.id


def marks(office: Office) -> dict[str, str | None]:
    """By request."""
    with office.ledger._database.reading() as connection:
        return dict(connection.execute(sa.select(requests.c.id, requests.c.mark)).all())


def test_a_mark_goes_with_its_request_and_the_key_of_a_day_with_the_last_of_them(office: Office) -> None:
    first, second, later = office.user("a"), office.user("b"), office.user("c", now=NOW + timedelta(days=1))
    assert len({*marks(office).values()} - {None}) == 3 and len(office.keys.days()) == 2
    office.refuse(first)
    assert marks(office)[first.id] is None and marks(office)[second.id] and len(office.keys.days()) == 2
    office.bring(second, State.CLOSED)
    office.ledger.destroy_subject(second.id)
    assert [id for id, mark in marks(office).items() if mark] == [later.id]
    assert office.keys.days() == {later.recorded_at.date()}


def test_without_the_days_key_nobody_can_be_tried(office: Office) -> None:
    """Who has the ledger alone, and everybody's id, finds no two of one person, nor anybody."""
    first = office.user(PERSON)
    asked = canonical(described(Selection(users=(PERSON,)), None))
    (mark,) = marks(office).values()
    assert mark == office.keys.mark(NOW.date(), asked)
    assert hashlib.sha256(asked).hexdigest() not in mark and hmac.digest(b"", asked, "sha256").hex() not in mark
    office.refuse(first)
    office.user(PERSON)
    assert mark not in marks(office).values()


def test_an_edited_mark_gives_nobody_the_request_of_another(office: Office) -> None:
    theirs, mine = office.user("another"), office.user(PERSON)
    with office.ledger._database.writing() as connection:
        there = marks(office)
        for request, other in ((theirs, mine), (mine, theirs)):
            connection.execute(sa.update(requests).where(requests.c.id == request.id).values(mark=there[other.id]))
    assert office.user(PERSON).id not in (theirs.id, mine.id)
