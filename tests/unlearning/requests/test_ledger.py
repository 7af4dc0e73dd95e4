"""The ledger on both databases: what it keeps, what it gives back, and that it names nobody."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest

from fedrec.data.selection import Selection
from fedrec.errors import FedrecError, UsageError
from tests.unlearning.requests.office import NOW, PERSON, PLAN, Office, dumped
from unlearning.requests.request import Identity, Request
from unlearning.requests.signing import Origin
from unlearning.requests.states import OPEN, PATH, State
from unlearning.requests.transitions import Decision


def test_a_duplicate_returns_the_open_request(office: Office) -> None:
    first = office.user(PERSON)
    again = office.user(PERSON, requester="ben", now=NOW + timedelta(days=3))
    assert again == first == office.ledger.get(first.id)
    assert [kind for kind, _ in office.events] == ["submitted", "duplicate"]
    others = [
        office.user("another"),
        office.user(PERSON, client="c1"),
        office.submit(Selection(users=(PERSON,), since=5)),
    ]
    assert len({first.id, *(other.id for other in others)}) == 4
    assert len({first.pseudonym, *(other.pseudonym for other in others)}) == 4
    office.bring(first, State.CLOSED)
    assert office.user(PERSON).id != first.id


@pytest.mark.parametrize("state", [state for state in PATH if state in OPEN])
def test_every_state_outlives_the_process_and_can_be_left(opened: Callable[..., Office], state: State) -> None:
    office = opened()
    request = office.bring(office.user(PERSON), state)
    office.ledger.close()
    later = opened()
    assert later.ledger.get(request.id) == request
    assert request.state is state
    stopped = later.decide(request, Decision("held", "a lawsuit"))
    assert (stopped.state, stopped.came_from) == (State.HELD, state)
    assert later.user(PERSON).id == request.id
    assert later.decide(request, Decision("released")).state is state
    assert later.ledger.advance(request.id, State.FAILED, reason="disk full").reached is state
    assert later.decide(request, Decision("released")).state is state


def test_the_record_of_a_closed_request(office: Office) -> None:
    request = office.user(PERSON)
    office.bring(request, State.ERASING)
    for state in (State.VERIFYING, State.PUBLISHED, State.CLOSED):
        office.ledger.advance(request.id, state, certificate="c.json")
    closed = office.ledger.get(request.id)
    assert closed.received_at == NOW and closed.received_at.tzinfo is UTC
    assert (closed.plan, closed.shards, closed.certificate) == (PLAN, (0, 2), "c.json")
    assert (closed.requester, closed.approver, closed.four_eyes) == ("ada", "ben", True)
    assert closed.identity == Identity("confirmed", "passport")
    assert json.loads(json.dumps(closed.public()))["due_at"] == "2026-02-28"


def test_the_day_of_receipt_is_utc_wherever_the_clock_stands(office: Office) -> None:
    sydney = timezone(timedelta(hours=11))
    request = office.user(PERSON, now=datetime(2026, 2, 1, 9, 0, tzinfo=sydney))
    assert request.received_at == datetime(2026, 1, 31, 22, 0, tzinfo=UTC)
    assert office.ledger.get(request.id).due_at == date(2026, 2, 28)


def test_late_ones_come_first(office: Office) -> None:
    days = (12, 3, 25, 7)
    made = {day: office.user(f"user {day}", now=datetime(2026, 1, day, tzinfo=UTC)) for day in days}
    office.refuse(made[25])
    assert [request.received_at.day for request in office.ledger.open_requests()] == [3, 7, 12]
    assert [request.due_at for request in office.ledger.open_requests()] == [
        date(2026, 2, 3), date(2026, 2, 7), date(2026, 2, 12)
    ]  # fmt: skip
    office.decide(made[3], Decision("extended", "many requests"), now=datetime(2026, 2, 3, tzinfo=UTC))
    assert [request.received_at.day for request in office.ledger.open_requests()] == [7, 12, 3]
    briefs, counts = office.ledger.status()
    for brief, request in zip(briefs, office.ledger.open_requests(), strict=True):
        assert (brief.kind, tuple(brief.conditions)) == (request.scope.kind, tuple(request.scope.conditions))
        own = [name for name in brief._fields if name not in ("kind", "conditions")]
        assert [getattr(brief, name) for name in own] == [getattr(request, name) for name in own]
    assert counts == {State.RECEIVED: 3, State.REFUSED: 1}
    assert [request.id for request in office.ledger.list(State.REFUSED)] == [made[25].id]
    assert len(office.ledger.list()) == 4


def test_what_cannot_be_told_does_not_happen(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    request = office.user(PERSON)

    def broken(*_: object) -> None:
        raise FedrecError("the last line was altered")

    with monkeypatch.context() as patch:
        patch.setattr(office.ledger, "_on_event", broken)
        for act in (lambda: office.user("another"), lambda: office.approve(request), lambda: office.refuse(request)):
            with pytest.raises(FedrecError, match="altered"):
                act()
    assert office.ledger.list() == [request]
    assert office.plan(request, 0).state is State.PLANNED


def test_batches_are_of_approved_and_planned_requests_until_they_are_closed(office: Office) -> None:
    first, second, third = (office.user(name) for name in ("a", "b", "c"))
    office.user("waiting for approval")
    office.approve(office.user("waiting for a plan"))
    for request, shards in ((first, (0, 4)), (second, (2,)), (third, (4,))):
        office.plan(request, *shards)
    together = [{r.id for r in batch.requests} for batch in office.ledger.batches()]
    assert sorted(together, key=len) == [{second.id}, {first.id, third.id}]
    for state in (State.QUARANTINED, State.ERASING, State.VERIFYING, State.PUBLISHED):
        office.ledger.advance(first.id, state)
        assert {first.id, third.id} in [{r.id for r in batch.requests} for batch in office.ledger.batches()]
    office.ledger.advance(first.id, State.CLOSED, certificate="c.json")
    office.decide(second, Decision("held", "a lawsuit"))
    assert [batch.shards for batch in office.ledger.batches()] == [(4,)]


def test_a_batch_waits_for_the_policys_window(opened: Callable[..., Office]) -> None:
    office = opened(batch_window=24)
    office.plan(office.user(PERSON), 1)
    assert not office.ledger.batches(NOW + timedelta(hours=23))
    assert len(office.ledger.batches(NOW + timedelta(hours=24))) == 1


def test_the_executor_learns_whom_and_nobody_after_it(opened: Callable[..., Office], url: str, tmp_path: Path) -> None:
    office = opened()
    selection = Selection(users=(PERSON,), items=("Vertigo-1958",))
    request = office.submit(selection, client="c1")
    assert office.ledger.selection(request.id) == selection
    with pytest.raises(FedrecError, match="is received: its subject is needed"):
        office.ledger.destroy_subject(request.id)
    office.bring(request, State.CLOSED)
    assert office.ledger.selection(request.id) == selection
    for _ in range(2):
        office.ledger.destroy_subject(request.id)
    with pytest.raises(FedrecError, match="destroyed"):
        office.ledger.selection(request.id)
    told = ("step", {"request": request.id, "method": "subject-destroyed"})
    assert office.events.count(told) == 1

    kept = dumped(url) + json.dumps(office.events) + repr(office.ledger.list())
    for secret in (PERSON, "Vertigo"):
        assert secret not in kept
        assert all(secret.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "decision", [Decision("refused", "not you", "the authority"), Decision("cancelled", "the person asked for it")]
)
def test_what_ends_without_effect_keeps_no_key_of_its_subject(
    opened: Callable[..., Office], decision: Decision, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = opened()
    kept, *ended = (office.user(f"{PERSON} {number}") for number in range(3))
    office.decide(ended[0], decision)
    office.decide(ended[0], decision)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(office.ledger, "destroy_subject", interrupted)
        office.decide(ended[1], decision)
    assert office.keys.held() == {kept.id, ended[1].id}
    office.ledger.close()
    later = opened()
    assert later.keys.held() == {kept.id}
    with pytest.raises(FedrecError, match="destroyed"):
        later.ledger.selection(ended[1].id)


def test_many_are_submitted_or_none(opened: Callable[..., Office]) -> None:
    office = opened(max_submissions_per_hour=4)
    office.user("before")
    told, keys = list(office.events), office.keys.held()
    good = [Selection(users=(f"user {number}",)) for number in range(3)]
    once = iter([True, True])  # that it asks, and the first request

    def until_then(message: bytes) -> bytes:
        return office.operators.sign("ada" if next(once, False) else "ben", message)

    for asked, sign, why in (
        (good, until_then, "another key"),
        ([*good, Selection(users=("one more",))], office.by("ada"), "1 requests within an"),
    ):
        with pytest.raises(FedrecError, match=why):
            office.ledger.submit_all(asked, sign=sign, now=NOW, **ORIGIN)
        assert [kind for kind, _ in office.events[len(told) :]] == ["rejected"]
        assert len(office.ledger.list()) == 1 and office.keys.held() == keys
        told = list(office.events)
    twice = [*good, good[0], Selection(users=("before",))]
    found = office.ledger.submit_all(twice, sign=office.by("ada"), now=NOW, **ORIGIN)
    assert len({request.id for request in found}) == 4 == len(office.ledger.list())
    assert found[0] == found[3] and [kind for kind, _ in office.events[len(told) :]] == ["submitted"] * 3 + [
        "duplicate"
    ]


ORIGIN: Origin = {"channel": "mail", "ground": "17(1)(b)", "requester": "ada"}


def test_time_runs_from_the_receipt_and_floods_from_the_record(opened: Callable[..., Office]) -> None:
    office = opened(max_submissions_per_hour=2)
    received = datetime(2026, 1, 5, tzinfo=UTC)

    def submit(person: str, received: datetime) -> Request:
        asked = [Selection(users=(person,))]
        return office.ledger.submit_all(asked, sign=office.by("ada"), received=received, now=NOW, **ORIGIN)[0]

    for number in range(2):
        request = submit(f"user {number}", received)
        assert (request.received_at, request.recorded_at, request.due_at) == (received, NOW, date(2026, 2, 5))
        assert office.ledger.get(request.id) == request
    with pytest.raises(FedrecError, match="2 requests within an hour"):
        submit("user 2", received)
    with pytest.raises(UsageError, match="received on 2026-02-01: that day has not come"):
        submit("user 2", NOW + timedelta(days=1))


def test_a_request_is_named_by_as_much_of_its_id_as_is_unique(office: Office) -> None:
    ids = [office.user(f"user {number}").id for number in range(40)]
    for id in ids:
        for length in range(1, 37):
            alike = [other for other in ids if other.startswith(id[:length])]
            if alike == [id]:
                assert office.ledger.named(id[:length]) == office.ledger.named(id[:length].upper()) == id
            else:
                with pytest.raises(UsageError, match=f"request {id[:length]}: {len(alike)} begin so"):
                    office.ledger.named(id[:length])
    for nothing in ("", "%", "_", "x", ids[0] + "0"):
        assert office.ledger.named(nothing) is None


def test_an_unknown_request_is_named(office: Office) -> None:
    release = partial(office.ledger.decide, decision=Decision("released"), approver="ben", sign=office.by("ben"))
    for ask in (office.ledger.get, release, office.ledger.destroy_subject):
        with pytest.raises(UsageError, match="request nobody: not in the ledger"):
            ask("nobody")


def test_a_step_in_the_wrong_order_leaves_no_trace(office: Office) -> None:
    request = office.user(PERSON)
    with pytest.raises(FedrecError, match="is received: it cannot become quarantined"):
        office.ledger.advance(request.id, State.QUARANTINED)
    with pytest.raises(FedrecError, match="cannot be identified without an approval"):
        office.ledger.advance(request.id, State.IDENTIFIED)
    assert office.ledger.get(request.id) == request
    assert [kind for kind, _ in office.events] == ["submitted"]


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt
