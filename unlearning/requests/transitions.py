"""What happens to a request, as pure functions from the request before to the request after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypedDict

from fedrec.errors import FedrecError
from unlearning.requests.deadlines import last_day
from unlearning.requests.policy import Policy
from unlearning.requests.request import Identity, Request, Signature
from unlearning.requests.states import OPEN, STOPPED, State, may_move


class Facts(TypedDict, total=False):
    """What is known of a request on reaching a state. For their meaning see `Request`; `reason` goes to its reasons."""

    reason: str
    shards: Sequence[int]
    plan: Mapping[str, Any]
    certificate: str
    planned: Signature


def advanced(request: Request, to: State, facts: Facts) -> Request:
    """In state `to`; the same request where it is there already.

    Raises:
        FedrecError: that move is not allowed, or lacks what it needs: an approval, a plan, a reason, a certificate.
    """
    if request.state == to:
        return request
    after = _moved(request, to)
    if "shards" in facts:
        after = replace(after, shards=tuple(sorted(set(facts["shards"]))))
    if "plan" in facts:
        after = replace(after, plan=dict(facts["plan"]))
    if "planned" in facts:
        after = replace(after, signatures={**after.signatures, "planned": facts["planned"]})
    after = replace(
        after,
        certificate=facts.get("certificate", request.certificate),
        reasons={**request.reasons, to.value: facts["reason"]} if "reason" in facts else request.reasons,
    )
    if missing := _missing(after):
        raise FedrecError(f"request {request.id}: it cannot be {to} without {missing}")
    return after


def planned_again(request: Request, plan: Mapping[str, Any], planned: Signature) -> Request:
    """With another plan and its signature.

    Raises:
        FedrecError: it is not planned, or something of it was begun.
    """
    if request.state != State.PLANNED:
        raise FedrecError(f"request {request.id} is {request.state}: only what is planned is planned again")
    signatures = {**request.signatures, "planned": planned}
    return replace(request, plan=dict(plan), shards=tuple(sorted(set(plan["shards"]))), signatures=signatures)


def approved(request: Request, identity: Identity, signature: Signature) -> Request:
    """Identified and approved; the same request where it was before."""
    if request.decision == "approved":
        return request
    signatures = {**request.signatures, "approved": signature}
    decided = replace(
        request, decision="approved", approver=signature.operator, identity=identity, signatures=signatures
    )
    return _moved(decided, State.IDENTIFIED)


def acknowledged(request: Request, signature: Signature) -> Request:
    """Signed by who asked."""
    return replace(request, signatures={**request.signatures, "asked": signature})


def refused(request: Request, reason: str, complaint_route: str) -> Request:
    """Ended without effect, with the reasons and the route for a complaint that Art. 12(4) asks for."""
    if request.state == State.REFUSED:
        return request
    if not reason.strip() or not complaint_route.strip():
        raise FedrecError(f"request {request.id}: a refusal gives a reason and the route for a complaint (Art. 12(4))")
    reasons = {**request.reasons, "refused": reason, "complaint": complaint_route}
    return _moved(replace(request, decision="refused", reasons=reasons), State.REFUSED)


def cancelled(request: Request, reason: str) -> Request:
    """Ended without effect, because whoever asked no longer wants it."""
    if request.state == State.CANCELLED:
        return request
    if not reason.strip():
        raise FedrecError(f"request {request.id}: say why it is cancelled, for example that the person asked for it")
    reasons = {**request.reasons, "cancelled": reason}
    return _moved(replace(request, decision="cancelled", reasons=reasons), State.CANCELLED)


def resumed(request: Request) -> Request:
    """A held or failed request, back where it stopped."""
    if request.state not in STOPPED or request.came_from is None:
        raise FedrecError(f"request {request.id} is {request.state}, neither held nor failed: nothing to release")
    return _moved(request, request.came_from)


def extended(request: Request, reason: str, policy: Policy, now: datetime) -> Request:
    """With the longer time of Art. 12(3), counted from the receipt; once, and before the first time is over."""
    if not reason.strip():
        raise FedrecError(f"request {request.id}: an extension gives the person a reason (Art. 12(3))")
    if request.state not in OPEN:
        raise FedrecError(f"request {request.id} is {request.state}: only an open request can be extended")
    if request.extended:
        raise FedrecError(f"request {request.id} was extended once already, to {request.due_at}: answer it by then")
    if now.date() > request.due_at:
        raise FedrecError(
            f"request {request.id} was due on {request.due_at}: an extension comes before that day is over"
        )
    months = policy.response_months + policy.extension_months
    due = last_day(request.received_at.date(), months, policy.next_working_day)
    return replace(request, extended=True, due_at=due, reasons={**request.reasons, "extended": reason})


def _moved(request: Request, to: State) -> Request:
    if not may_move(request.state, to, request.came_from):
        stopped = f" at {request.came_from}" if request.came_from else ""
        raise FedrecError(f"request {request.id} is {request.state}{stopped}: it cannot become {to}")
    unplanned = request.decision == "approved" and request.plan is None  # so nothing of it was begun
    return replace(
        request,
        state=to,
        came_from=(State.IDENTIFIED if unplanned else request.state) if to in STOPPED else None,
    )


def _missing(request: Request) -> str | None:
    """What its state needs and it does not have."""
    needs = {
        State.IDENTIFIED: ("an approval", "approved" in request.signatures),
        State.PLANNED: ("a plan and its shards", request.plan is not None and request.shards is not None),
        State.CLOSED: ("a certificate", request.certificate),
        State.REFUSED: ("reasons: see refuse", request.decision == "refused"),
        State.CANCELLED: ("a reason: see cancel", request.decision == "cancelled"),
        State.HELD: ("a reason", request.reasons.get("held")),
        State.FAILED: ("a reason", request.reasons.get("failed")),
    }
    what, there = needs.get(request.state, ("", True))
    return None if there else what
