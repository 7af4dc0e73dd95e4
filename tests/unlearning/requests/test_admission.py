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
from unlearning.requests.ledger import Asked
from unlearning.requests.signing import approval_message, decision_message, submission_message
from unlearning.requests.states import State
from unlearning.requests.transitions import Decision

PERSON = "Zacharias-4711"
THEIRS = Selection(users=(PERSON,))
FACTS: dict[str, Any] = {"channel": "mail", "ground": "17(1)(b)", "requester": "ada"}


def nothing_but(office: Office, cause: str, operator: str | None, request: str | None = None) -> None:
    """The last event says so, and tells nothing else."""
    assert office.events[-1] == ("rejected", {"reason": cause, "operator": operator, "request": request})
    assert PERSON not in str(office.events)


@pytest.mark.parametrize(
    ("signer", "signed", "cause"),
    [
        (None, FACTS, "unsigned"),
        ("ben", FACTS, "wrong-signature"),
        ("ada", {**FACTS, "ground": "17(1)(c)"}, "wrong-signature"),
        ("ada", {**FACTS, "client": "c1"}, "wrong-signature"),
    ],
)
def test_a_submission_must_be_signed_by_its_requester(
    office: Office, signer: str | None, signed: dict[str, Any], cause: str
) -> None:
    signature = signer and office.operators.sign(signer, submission_message(THEIRS, **signed))
    with pytest.raises(FedrecError, match="operator 'ada'"):
        office.ledger.submit_all([Asked(THEIRS, None, signature or None)], **FACTS)
    nothing_but(office, cause, None)
    assert not office.ledger.list()
    assert not list((office.keys._requests).iterdir())


def test_a_stranger_is_not_named_in_the_log(office: Office) -> None:
    """Anybody may claim any name, a person's too."""
    claimed = {**FACTS, "requester": PERSON}
    signature = office.operators.sign("eve", submission_message(THEIRS, **claimed))
    with pytest.raises(FedrecError, match="not registered"):
        office.ledger.submit_all([Asked(THEIRS, None, signature)], **claimed)
    nothing_but(office, "wrong-signature", None)


def test_an_approval_must_be_signed_for_this_request(office: Office) -> None:
    request, other = office.user(PERSON), office.user("another")
    for_another = office.operators.sign("ben", approval_message(other, "ben", "passport", NOW))
    otherwise = office.operators.sign("ben", approval_message(request, "ben", "a phone call", NOW))
    for signature, cause in ((None, "unsigned"), (for_another, "wrong-signature"), (otherwise, "wrong-signature")):
        with pytest.raises(FedrecError, match="operator 'ben'"):
            office.ledger.approve(request.id, "ben", identity="passport", signature=signature, now=NOW)
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
    for signature, cause in ((None, "unsigned"), (for_another, "wrong-signature"), (otherwise, "wrong-signature")):
        with pytest.raises(FedrecError, match="operator 'ben'"):
            office.ledger.decide(request.id, decision, "ben", signature=signature, now=NOW)
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
