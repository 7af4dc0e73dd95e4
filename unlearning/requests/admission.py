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

    def __init__(self, message: str, cause: str, operator: str | None = None) -> None:
        super().__init__(message)
        self.cause, self.operator = cause, operator


def check_signature(authority: Authority, operator: str, role: Role, message: bytes, signature: bytes | None) -> bytes:
    """The signature, found good, of one who has the role."""
    if not signature:
        raise Rejected(f"operator {operator!r}: not signed; sign with the operator's key", "unsigned")
    if not authority.check(operator, message, signature):
        raise Rejected(
            f"operator {operator!r}: not registered, or signed with another key; "
            f"{', '.join(authority.names(role)) or 'nobody'} may, as {role}",
            "wrong-signature",
        )
    if operator not in authority.names(role):
        raise Rejected(
            f"operator {operator!r}: has not the role {role}; {', '.join(authority.names(role)) or 'nobody'} has",
            "wrong-role", operator,
        )  # fmt: skip
    return signature


def check_four_eyes(policy: Policy, authority: Authority, request: Request, approver: str) -> None:
    """Operators count as they were when the request came: who revokes another, or makes a new key, gains nothing."""
    there = authority.names("approver", at=request.recorded_at)
    if not (len(there) > 1 if policy.four_eyes is None else policy.four_eyes):
        return
    if approver == request.requester:
        raise Rejected(
            f"request {request.id}: {approver!r} asked for it; another operator must approve it",
            "self-approved", approver,
        )  # fmt: skip
    if approver not in there:
        raise Rejected(
            f"request {request.id}: {approver!r} became an approver after it had come; one who was there must approve "
            "it, or it is handed in again",
            "late-key", approver,
        )  # fmt: skip


def check_amount(connection: Connection, policy: Policy, requester: str, coming: int, now: datetime) -> None:
    """Each request costs retraining, so a flood of them is an attack.

    Args:
        coming: how many more there are to be.
    """
    mine = requests.c.requester == requester
    more = f" and {coming} more" if coming > 1 else ""
    lately = persistence.count(connection, mine, requests.c.recorded_at > now - timedelta(hours=1))
    if lately + coming > policy.max_submissions_per_hour:
        raise Rejected(
            f"operator {requester!r}: {lately} requests within an hour{more}; wait, or raise max_submissions_per_hour",
            "flood", requester,
        )  # fmt: skip
    unfinished = persistence.count(connection, mine, IS_OPEN)
    if unfinished + coming > policy.max_open_per_requester:
        raise Rejected(
            f"operator {requester!r}: {unfinished} open requests{more}; finish some, or raise max_open_per_requester",
            "flood", requester,
        )  # fmt: skip
