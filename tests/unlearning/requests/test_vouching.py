"""A ledger that somebody edited: nothing in it counts that no operator signed, as it stands there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from fedrec.errors import FedrecError
from tests.unlearning.requests.office import NOW, Office
from unlearning.requests.policy import Policy
from unlearning.requests.request import Identity, Request, Signature
from unlearning.requests.scope import Kind
from unlearning.requests.vouching import unvouched

AUTOMATIC = Policy()


def planned(office: Office) -> Request:
    """Asked by ada, approved by ben, planned by ada: all of it signed."""
    request = office.user("somebody")
    return office.ledger.get(office.plan(request, 2, 0).id)


def fault(office: Office, request: Request, policy: Policy = AUTOMATIC) -> str | None:
    return unvouched(request, policy, office.operators)


def test_what_was_signed_is_vouched_for(office: Office) -> None:
    request = office.user("somebody")
    assert (
        fault(office, request)
        == "nobody signed that it was approved: the ledger was altered, or an older fedrec wrote it"
    )
    assert fault(office, office.approve(request)) is None
    assert fault(office, planned(office)) is None


EDITED: dict[str, Callable[[Request], Any]] = {
    "id": lambda it: "22222222-2222-4333-8444-555555555555",
    "received_at": lambda it: it.received_at - timedelta(days=1),
    "recorded_at": lambda it: it.recorded_at - timedelta(days=1),
    "channel": lambda it: "telephone",
    "pseudonym": lambda it: "cd" * 32,
    "scope": lambda it: replace(it.scope, client="client-0"),
    "sealed": lambda it: it.sealed[:-1] + bytes([it.sealed[-1] ^ 1]),
    "ground": lambda it: "17(1)(f)",
    "requester": lambda it: "max",
    "identity": lambda it: Identity("confirmed", "he said so"),
    "decision": lambda it: None,
    "approver": lambda it: "ada",
    "plan": lambda it: {**it.plan, "shards": [0, 2], "rounds": 0},
}
UNSIGNED = {"due_at", "state", "came_from", "extended", "reasons", "signatures", "certificate"}
"""What the audit log tells of instead."""


@pytest.mark.parametrize("name", EDITED)
def test_an_edited_field_is_found(office: Office, name: str) -> None:
    request = planned(office)
    assert fault(office, replace(request, **{name: EDITED[name](request)})) is not None


def test_every_field_is_signed_or_told_of() -> None:
    assert {field.name for field in fields(Request)} == EDITED.keys() | UNSIGNED


def test_another_plan_or_none_is_found(office: Office) -> None:
    request = planned(office)
    for plan in ({**(request.plan or {}), "shards": []}, None):
        assert fault(office, replace(request, plan=plan)) is not None


@pytest.mark.parametrize("says", ["asked", "approved", "planned"])
def test_a_signature_must_be_there_and_be_that_one(office: Office, says: str) -> None:
    request = planned(office)
    signature = request.signatures[says]
    other = office.approve(office.user("another")).signatures["approved"]
    changed = [
        None,
        replace(signature, value="00" * 64),
        replace(signature, value="not hexadecimal"),
        replace(signature, at=(NOW + timedelta(seconds=1)).isoformat()),
        replace(signature, at="yesterday"),
        replace(signature, operator="eve"),
        replace(signature, operator="max"),
        other,
    ]
    for one in changed:
        signatures = {**request.signatures, says: one}
        if one is None:
            del signatures[says]
        assert says in (fault(office, replace(request, signatures=signatures)) or ""), one


class Then:
    """The office's operators as they were at some time: who had which role from when until when."""

    def __init__(self, office: Office, **since: tuple[int, int]) -> None:
        """
        Args:
            since: by name, the hours after NOW in which they were approvers.
        """
        self._office, self._since = office, since

    def names(self, role: str, at: Any = None) -> tuple[str, ...]:
        if role != "approver":
            return ("ada", "ben", "max")
        hours = 98.0 if at is None else (at - NOW).total_seconds() / 3600
        return tuple(name for name, (first, end) in self._since.items() if first <= hours < end)

    def check(self, operator: str, message: bytes, signature: bytes, at: Any = None) -> bool:
        return self._office.operators.check(operator, message, signature)


def approved_by(office: Office, approver: str) -> Request:
    """Asked by ada at NOW, and approved three hours later, whatever the rules say."""
    request = office.user("somebody")
    return office.approve(request, approver, NOW + timedelta(hours=3))


@pytest.mark.parametrize(
    ("approver", "since", "why"),
    [
        ("ben", {"ada": (0, 99), "ben": (0, 99)}, None),
        ("ada", {"ada": (0, 99), "ben": (0, 99)}, "another operator must approve"),
        ("ada", {"ada": (0, 99), "ben": (0, 1)}, "another operator must approve"),  # ben was revoked for it
        ("ada", {"ada": (0, 99)}, None),  # alone from the first
        ("ada", {"ada": (0, 99), "ben": (2, 99)}, None),  # alone when it came
        ("ben", {"ada": (0, 99), "max": (0, 99), "ben": (2, 99)}, "became an approver after it had come"),
        ("ben", {"ada": (0, 99), "ben": (2, 99)}, None),  # nobody else was there: allowed, and not called four eyes
        ("ben", {"ada": (0, 99), "ben": (0, 2)}, "was no approver then"),
    ],
)
def test_operators_count_as_they_were_when_the_request_came(
    opened: Callable[..., Office], approver: str, since: dict[str, tuple[int, int]], why: str | None
) -> None:
    request = approved_by(opened(four_eyes=False), approver)
    found = unvouched(request, AUTOMATIC, Then(opened(), **since))
    assert (why is None and found is None) or (why is not None and found is not None and why in found), found


def test_the_same_holds_when_it_is_approved(opened: Callable[..., Office], monkeypatch: pytest.MonkeyPatch) -> None:
    office = opened()
    request = office.user("somebody")
    now = {"ada": (0, 99), "ben": (0, 1)}  # ben is revoked in between
    monkeypatch.setattr(office.operators, "names", Then(office, **now).names)
    with pytest.raises(FedrecError, match="another operator must approve it"):
        office.approve(request, "ada", NOW + timedelta(hours=3))
    assert office.events[-1][1]["reason"] == "self-approved"
    now["max"] = (2, 99)  # a new key
    monkeypatch.setattr(office.operators, "names", Then(office, **now).names)
    with pytest.raises(FedrecError, match="became an approver after it had come"):
        office.approve(request, "max", NOW + timedelta(hours=3))
    assert office.events[-1][1]["reason"] == "late-key"
    assert office.ledger.get(request.id) == request


def test_no_person_is_in_what_is_kept(office: Office) -> None:
    request = planned(office)
    assert "somebody" not in str(request.public())
    assert isinstance(request.signatures["asked"], Signature)
    assert request.scope.kind is Kind.USER
