"""Unsigned, wrongly signed, self-approved and flooding operators are turned away, and that is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fedrec.data.selection import Selection
from fedrec.errors import FedrecError
from tests.unlearning.requests.office import NOW, Office
from unlearning.requests.request import Identity, Request
from unlearning.requests.signing import decision_message, signed_message
from unlearning.requests.states import State
from unlearning.requests.transitions import Decision

PERSON = "Zacharias-4711"
THEIRS = Selection(users=(PERSON,))
FACTS: dict[str, Any] = {"channel": "mail", "ground": "17(1)(b)", "requester": "ada"}


def nothing_but(office: Office, cause: str, operator: str | None, request: str | None = None) -> None:
    """The last event says so, and tells nothing else."""
    assert office.events[-1] == ("rejected", {"reason": cause, "operator": operator, "request": request})
    assert PERSON not in str(office.events)


def only(signature: bytes) -> Callable[[bytes], bytes]:
    """Signs whatever it is given so."""
    return lambda _: signature


@pytest.mark.parametrize(
    ("signer", "more", "cause"),
    [(None, b"", "unsigned"), ("ben", b"", "wrong-signature"), ("ada", b"x", "wrong-signature")],
)
def test_a_submission_must_be_signed_by_its_requester(
    office: Office, signer: str | None, more: bytes, cause: str
) -> None:
    def sign(message: bytes) -> bytes:
        return office.operators.sign(signer, message + more) if signer else b""

    with pytest.raises(FedrecError, match="operator 'ada'"):
        office.ledger.submit_all([THEIRS], sign=sign, **FACTS)
    nothing_but(office, cause, None)
    assert not office.ledger.list() and not office.keys.held()


def test_who_only_signs_that_they_ask_leaves_nothing(office: Office) -> None:
    """The signature that is kept, over the request itself, must be good as well."""
    asked: list[bytes] = []

    def sign(message: bytes) -> bytes:
        asked.append(message)
        return office.operators.sign("ada" if len(asked) == 1 else "ben", message)

    with pytest.raises(FedrecError, match="another key"):
        office.ledger.submit_all([THEIRS], sign=sign, **FACTS)
    assert not office.ledger.list() and not office.keys.held()
    assert not [message for message in asked if PERSON.encode() in message]


def test_a_repeat_is_told_to_no_stranger(office: Office) -> None:
    office.user(PERSON)
    with pytest.raises(FedrecError, match="another key"):
        office.ledger.submit_all([THEIRS], sign=office.by("eve"), **FACTS)


def test_a_stranger_is_not_named_in_the_log(office: Office) -> None:
    """Anybody may claim any name, a person's too."""
    with pytest.raises(FedrecError, match="not registered"):
        office.ledger.submit_all([THEIRS], sign=office.by("eve"), **{**FACTS, "requester": PERSON})
    nothing_but(office, "wrong-signature", None)


def test_an_approval_must_be_signed_for_this_request(office: Office) -> None:
    request, other = office.user(PERSON), office.user("another")

    def signed(request: Request, how: str) -> bytes:
        identified = replace(request, identity=Identity("confirmed", how))
        return office.operators.sign("ben", signed_message(identified, "approved", "ben", NOW))

    for_another, otherwise = signed(other, "passport"), signed(request, "a phone call")
    for signature, cause in ((b"", "unsigned"), (for_another, "wrong-signature"), (otherwise, "wrong-signature")):
        with pytest.raises(FedrecError, match="operator 'ben'"):
            office.ledger.approve(request.id, "ben", identity="passport", sign=only(signature), now=NOW)
        nothing_but(office, cause, None, request.id)
    assert office.ledger.get(request.id) == request


@pytest.mark.parametrize(
    "decision",
    [
        Decision("refused", "not you", "the authority"),
        Decision("cancelled", "the person asked for it"),
        Decision("held", "a lawsuit"),
        Decision("released"),
        Decision("extended", "many requests"),
    ],
    ids=lambda decision: decision.says,
)
def test_a_decision_must_be_signed_for_this_request(office: Office, decision: Decision) -> None:
    request, other = office.user(PERSON), office.user("another")
    if decision.says == "released":
        request = office.decide(request, Decision("held", "a lawsuit"))
    for_another = office.operators.sign("ben", decision_message(other, decision, "ben"))
    otherwise = office.operators.sign("ben", decision_message(request, replace(decision, reason="else"), "ben"))
    for signature, cause in ((b"", "unsigned"), (for_another, "wrong-signature"), (otherwise, "wrong-signature")):
        with pytest.raises(FedrecError, match="operator 'ben'"):
            office.ledger.decide(request.id, decision, "ben", sign=only(signature), now=NOW)
        nothing_but(office, cause, None, request.id)
    assert office.ledger.get(request.id) == request
    after = office.decide(request, decision)
    assert after != request
    told = {"request": request.id, "state": after.state.value, "operator": "ben"}
    told |= {"due": after.due_at.isoformat()} if after.extended else {}
    ended = after.state in (State.REFUSED, State.CANCELLED)
    assert office.events[-2 if ended else -1] == (decision.says, told)


def test_who_may_only_ask_decides_nothing(office: Office) -> None:
    request = office.user(PERSON, requester="max")
    for decide in (office.approve, lambda it, who: office.decide(it, Decision("held", "a lawsuit"), who)):
        with pytest.raises(FedrecError, match="operator 'max': has not the role approver"):
            decide(request, "max")
        nothing_but(office, "wrong-role", "max", request.id)
    assert office.ledger.get(request.id) == request


def test_who_asked_may_cancel_and_an_approver_may(office: Office) -> None:
    decision = Decision("cancelled", "the person asked for it")
    request, other = office.user(PERSON, requester="max"), office.user("another")
    with pytest.raises(FedrecError, match="operator 'max': has not the role approver"):
        office.decide(other, decision, "max")
    assert office.decide(request, decision, "max").state is State.CANCELLED
    assert office.decide(other, decision, "ben").state is State.CANCELLED


def test_nobody_approves_their_own(office: Office) -> None:
    request = office.user(PERSON)
    with pytest.raises(FedrecError, match="'ada' asked for it; another operator must approve it"):
        office.approve(request, "ada")
    nothing_but(office, "self-approved", "ada", request.id)
    assert office.ledger.get(request.id) == request
    approved = office.approve(request, "ben")
    assert approved.four_eyes and approved.state is State.IDENTIFIED
    assert office.approve(request, "ben", NOW + timedelta(days=1)) == approved
    assert [kind for kind, _ in office.events].count("approved") == 1


def test_an_operator_alone_approves_and_it_shows(opened: Callable[..., Office]) -> None:
    office = opened(four_eyes=False)
    approved = office.approve(office.user(PERSON), "ada")
    assert approved.approver == "ada" and not approved.four_eyes
    assert office.events[-1][0] == "approved" and office.events[-1][1]["method"] == "one-operator"
    assert approved.public()["four_eyes"] is False


def test_a_flood_is_held_back_for_an_hour_and_for_its_sender_only(opened: Callable[..., Office]) -> None:
    office = opened(max_submissions_per_hour=3)
    for number in range(3):
        office.user(f"user {number}", now=NOW + timedelta(minutes=number))
    with pytest.raises(FedrecError, match="operator 'ada': 3 requests within an hour"):
        office.user("one more", now=NOW + timedelta(minutes=59))
    nothing_but(office, "flood", "ada")
    assert office.user("user 1", now=NOW + timedelta(minutes=59)).received_at < NOW + timedelta(minutes=2)
    office.user("one more", requester="ben", now=NOW + timedelta(minutes=59))
    office.user("yet another", now=NOW + timedelta(minutes=61))
    assert len(office.ledger.list()) == 5


def test_open_requests_are_limited_until_some_end(opened: Callable[..., Office]) -> None:
    office = opened(max_open_per_requester=2)
    first = office.user("a")
    office.user("b")
    with pytest.raises(FedrecError, match="operator 'ada': 2 open requests"):
        office.user("c")
    nothing_but(office, "flood", "ada")
    office.refuse(first)
    office.user("c")
