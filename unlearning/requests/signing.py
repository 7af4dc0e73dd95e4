"""What an operator signs, and who checks it. The messages are canonical JSON, so both sides build the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol, TypedDict

from unlearning.audit.canonical import canonical, digest
from unlearning.certificates.signatures import Says
from unlearning.operators.keys import Role
from unlearning.requests.request import Request, Signature
from unlearning.requests.transitions import Decision

OnEvent = Callable[[str, dict[str, Any]], object]
"""Told what happens and what was rejected, in the words of `audit.fields.Facts`.

It is told within the transaction: a crash can leave a line too many in an audit log, which the next start repeats, and
never a change without its line. What it raises undoes the change.
"""


Sign = Callable[[bytes], bytes]
"""Signs a message with an operator's private key, as `Ed25519PrivateKey.sign` does."""


class Authority(Protocol):
    """Knows the registered operators, their public keys and their roles."""

    def names(self, role: Role, /, at: datetime | None = None) -> Collection[str]:
        """The operators in force with that role, then; None: now."""

    def check(self, operator: str, message: bytes, signature: bytes, /, at: datetime | None = None) -> bool:
        """Whether the signature is this operator's over the message, in force then; False for one it does not know."""


class Origin(TypedDict):
    """How a request came in, on what legal ground, and which operator hands it in."""

    channel: str
    ground: str
    requester: str


def content(request: Request, says: Says, operator: str, at: str) -> dict[str, Any]:
    """What an operator signs of a request, as plain data without a person in it, so that it is kept and checked again.

    asked      this request, of this pseudonym and scope, with what is sealed in it
    approved   the same, whose person was identified that way
    planned    with this plan, by its digest
    """
    signed: dict[str, Any] = {"says": says, "request": request.id, "operator": operator, "at": at}
    if says == "planned":
        return {**signed, "plan": digest(request.plan)}
    signed |= {
        "received_at": request.received_at.isoformat(),
        "recorded_at": request.recorded_at.isoformat(),
        "channel": request.channel,
        "ground": request.ground,
        "pseudonym": request.pseudonym,
        "scope": asdict(request.scope),
        "sealed": hashlib.sha256(request.sealed).hexdigest(),
        "requester": request.requester,
    }
    if says == "approved":
        signed["identity"] = request.identity and request.identity.method
    return signed


def signed_message(request: Request, says: Says, operator: str, at: datetime) -> bytes:
    """The bytes of `content`."""
    return canonical(content(request, says, operator, at.isoformat()))


def fingerprint(signature: Signature) -> str:
    """SHA-256 of a signature, by which the audit log names it."""
    return hashlib.sha256(bytes.fromhex(signature.value)).hexdigest()


def decision_message(request: Request, decision: Decision, approver: str) -> bytes:
    """What the approver signs: that decision of this request."""
    about = {"request": request.id, "pseudonym": request.pseudonym, "approver": approver}
    return canonical({**asdict(decision), **about})
