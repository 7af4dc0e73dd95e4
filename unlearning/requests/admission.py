"""Who is let in: signed by a registered operator, approved by another, and not too much of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from fedrec.errors import FedrecError
from unlearning.operators.keys import Role
from unlearning.requests import persistence
from unlearning.requests.policy import Policy
from unlearning.requests.request import Request
from unlearning.requests.schema import IS_OPEN, requests
from unlearning.requests.signing import Authority


class Rejected(FedrecError):
    """Turned away at the door: nothing was changed.

    Attributes:
        cause: "unsigned", "wrong-signature", "wrong-role", "self-approved", "late-key" or "flood".
        operator: who was turned away, where a signature proved the name; what anybody may claim could name a person.
    """

    def __init__(self, cause: str, message: str, operator: str | None = None) -> None:
        super().__init__(message)
        self.cause, self.operator = cause, operator


def check_signature(authority: Authority, operator: str, role: Role, message: bytes, signature: bytes | None) -> bytes:
    """The signature, found good, of one who has the role."""
    able = authority.names(role)
    whom, who = f"operator {operator!r}", ", ".join(able) or "nobody"
    if not signature:
        raise Rejected("unsigned", f"{whom}: not signed; sign with the operator's key")
    if not authority.check(operator, message, signature):
        raise Rejected("wrong-signature", f"{whom}: not registered, or signed with another key; {who} may, as {role}")
    if operator not in able:
        raise Rejected("wrong-role", f"{whom}: has not the role {role}; {who} has", operator)
    return signature


def check_four_eyes(policy: Policy, authority: Authority, request: Request, approver: str) -> None:
    """Operators count as they were when the request came: who revokes another, or makes a new key, gains nothing."""
    there = authority.names("approver", at=request.recorded_at)
    if not (len(there) > 1 if policy.four_eyes is None else policy.four_eyes):
        return
    if approver == request.requester:
        why = f"{approver!r} asked for it; another operator must approve it"
        raise Rejected("self-approved", f"request {request.id}: {why}", approver)
    if approver not in there:
        why = f"{approver!r} became an approver after it had come; one of before must approve it, or it is asked again"
        raise Rejected("late-key", f"request {request.id}: {why}", approver)


def check_amount(connection: Connection, policy: Policy, requester: str, coming: int, now: datetime) -> None:
    """Each request costs retraining, so a flood of them is an attack.

    Args:
        coming: how many more there are to be.
    """
    lately, more = requests.c.recorded_at > now - timedelta(hours=1), f" and {coming} more" if coming > 1 else ""
    for which, limit, what in (
        (lately, "max_submissions_per_hour", f"requests within an hour{more}; wait"),
        (IS_OPEN, "max_open_per_requester", f"open requests{more}; finish some"),
    ):
        there = persistence.count(connection, requests.c.requester == requester, which)
        if there + coming > getattr(policy, limit):
            raise Rejected("flood", f"operator {requester!r}: {there} {what}, or raise {limit}", requester)
