"""What an operator signs, and who checks it. The messages are canonical JSON, so both sides build the same bytes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Protocol, TypedDict, Unpack

from fedrec.data.selection import Selection
from unlearning.certificates.canonical import canonical
from unlearning.keys import Role
from unlearning.requests.decisions import Decision
from unlearning.requests.request import Request
from unlearning.requests.scope import described


class Authority(Protocol):
    """Knows the registered operators, their public keys and their roles."""

    def names(self, role: Role, /) -> Collection[str]:
        """The operators in force with that role."""

    def check(self, operator: str, message: bytes, signature: bytes, /) -> bool:
        """Whether the signature is this operator's over the message; False for an operator it does not know."""


class Origin(TypedDict):
    """How a request came in, on what legal ground, and which operator hands it in."""

    channel: str
    ground: str
    requester: str


def submission_message(
    selection: Selection, *, client: str | None = None, received: datetime | None = None, **origin: Unpack[Origin]
) -> bytes:
    """What the requester signs. It holds the person's id: do not keep it, nor the signature."""
    return canonical(
        {
            "says": "forget",
            "scope": described(selection, client),
            **origin,
            "received": received and received.isoformat(),
        }
    )


def approval_message(request: Request, approver: str, identity: str) -> bytes:
    """What the approver signs: this request, of this pseudonym and scope, whose person was identified that way."""
    return canonical(
        {
            "says": "approved",
            "request": request.id,
            "pseudonym": request.pseudonym,
            "scope": asdict(request.scope),
            "requester": request.requester,
            "approver": approver,
            "identity": identity,
        }
    )


def decision_message(request: Request, decision: Decision, approver: str) -> bytes:
    """What the approver signs: that decision of this request."""
    return canonical(
        {
            **asdict(decision),
            "request": request.id,
            "pseudonym": request.pseudonym,
            "approver": approver,
        }
    )
