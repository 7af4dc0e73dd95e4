"""What happens to a request, as pure functions from the request before to the request after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from fedrec.errors import FedrecError
from unlearning.requests.policy import Policy
from unlearning.requests.request import Identity, Request, Signature
from unlearning.requests.states import OPEN, STOPPED, State, may_move


@dataclass(frozen=True, slots=True)
class Decision:
    """What may be decided of a request besides approving it.

    Attributes:
        says: what the request is after it.
        reason: why; a release needs none.
        complaint: of a refusal, the route for one.
    """

    says: Literal["refused", "held", "released", "extended", "cancelled"]
    reason: str = ""
    complaint: str = ""


def approved(request: Request, identity: Identity, signature: Signature) -> Request:
    """Identified and approved; the same request where it was before."""
    if request.decision == "approved":
        return request
    return replace(
        _moved(request, State.IDENTIFIED),
        decision="approved",
        approver=signature.operator,
        identity=identity,
        signatures={**request.signatures, "approved": signature},
    )


def planned(request: Request, plan: Mapping[str, Any], signature: Signature) -> Request:
    """With a plan, or another one, before anything is carried out.

    Raises:
        FedrecError: it is not approved, or something of it was begun.
    """
    after = request if request.state == State.PLANNED else _moved(request, State.PLANNED)
    return replace(after, plan=dict(plan), signatures={**request.signatures, "planned": signature})


def advanced(request: Request, to: State, reason: str = "", certificate: str | None = None) -> Request:
    """In state `to`; the same request where it is there already.

    Raises:
        FedrecError: that move is not allowed, or lacks what it needs: an operator's signature, a reason, a certificate.
    """
    if request.state == to:
        return request
    after = _moved(request, to)
    needs = {
        State.IDENTIFIED: ("an approval", "approved" in request.signatures),
        State.PLANNED: ("a plan", request.plan is not None),
        State.CLOSED: ("a certificate", certificate),
        State.REFUSED: ("an operator's decision", False),
        State.CANCELLED: ("an operator's decision", False),
        State.HELD: ("a reason", reason),
        State.FAILED: ("a reason", reason),
    }
    what, there = needs.get(to, ("", True))
    if not there:
        raise FedrecError(f"request {request.id}: it cannot be {to} without {what}")
    reasons = {**request.reasons, to.value: reason} if reason else request.reasons
    return replace(after, certificate=certificate, reasons=reasons)


def decided(request: Request, decision: Decision, policy: Policy, now: datetime) -> Request:
    """The request after a decision; the same where it had that effect before.

    Raises:
        FedrecError: it is not possible where the request is, or lacks a reason.
    """
    match decision.says:
        case "held":
            return advanced(request, State.HELD, decision.reason)
        case "released":
            if request.state not in STOPPED or request.came_from is None:
                raise FedrecError(f"request {request.id} is {request.state}, not held or failed: nothing to release")
            return _moved(request, request.came_from)
        case "extended":
            return _extended(request, decision.reason, policy, now)
    return _ended(request, decision)


def _ended(request: Request, decision: Decision) -> Request:
    """Without effect: cancelled, or refused with the reasons and the route for a complaint that Art. 12(4) asks for."""
    end = State(decision.says)
    reasons: dict[str, str] = {end.value: decision.reason}
    if request.state == end:
        return request
    if end == State.REFUSED:
        reasons["complaint"] = decision.complaint
    if not all(text.strip() for text in reasons.values()):
        needs = "a reason and the route for a complaint (Art. 12(4))" if end == State.REFUSED else "a reason"
        raise FedrecError(f"request {request.id}: to be {end} it needs {needs}")
    return replace(_moved(request, end), decision=end.value, reasons={**request.reasons, **reasons})


def _extended(request: Request, reason: str, policy: Policy, now: datetime) -> Request:
    """With the longer time of Art. 12(3), counted from the receipt; once, and before the first time is over."""
    faults = {
        "an extension gives the person a reason (Art. 12(3))": not reason.strip(),
        f"it is {request.state}: only an open request can be extended": request.state not in OPEN,
        f"it was extended once already, to {request.due_at}: answer it by then": request.extended,
        f"it was due on {request.due_at}: an extension comes before that day is over": now.date() > request.due_at,
    }
    for why, there in faults.items():
        if there:
            raise FedrecError(f"request {request.id}: {why}")
    due = policy.last_day(request.received_at.date(), extended=True)
    return replace(request, extended=True, due_at=due, reasons={**request.reasons, "extended": reason})


def _moved(request: Request, to: State) -> Request:
    if not may_move(request.state, to, request.came_from):
        stopped = f" at {request.came_from}" if request.came_from else ""
        raise FedrecError(f"request {request.id} is {request.state}{stopped}: it cannot become {to}")
    unplanned = request.decision == "approved" and request.plan is None  # so nothing of it was begun
    came_from = State.IDENTIFIED if unplanned else request.state
    return replace(request, state=to, came_from=came_from if to in STOPPED else None)
