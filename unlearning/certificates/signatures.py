"""Who asked for an erasure, approved it and planned it: what each signed, checked offline from the evidence.

    signatures.json = {"asked": …, "approved": …, "planned": …}, each
    {"content": what was signed, "signature": hexadecimal, "public_key": PEM}
    operators.jsonl = the audit log's lines of operators: who had which key and roles, from when until when

That a key is the named person's is as good as the word of whoever vouches for the key: the trusted keys of `verify`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from fedrec.settings import Section
from unlearning.audit.canonical import canonical, digest
from unlearning.audit.chain import intact
from unlearning.certificates.certificate import Approval, Certificate
from unlearning.operators.keys import Role, key_id, read_public, verify
from unlearning.operators.registry import Operator, told

Parts = Mapping[str, Any]
Says = Literal["asked", "approved", "planned"]
ROLE_OF: dict[Says, Role] = {"asked": "requester", "approved": "approver", "planned": "signer"}
"""What an operator must be to say it."""

_WORK = ("quarantined", "erasing")  # the states in which something is done


class Signed(Section):
    """One operator's signature of what `content` says."""

    content: dict[str, Any]
    signature: str
    public_key: str

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.content["at"])

    @property
    def fingerprint(self) -> str:
        """By which the audit log names the signature."""
        return hashlib.sha256(bytes.fromhex(self.signature)).hexdigest()


def approval_of(asked: Operator, approved: Operator, recorded: datetime, signer: str) -> Approval:
    """How many people stand behind an erasure, as far as their keys show it.

    Args:
        recorded: when the request came in: who was no operator then might be the requester once more.
        signer: the id of the key that signs the certificate.
    """
    if asked.key_id == approved.key_id:
        return "one-key" if signer == asked.key_id else "self-approved"
    return "four-eyes" if approved.created <= recorded else "late-key"


def asking_fault(certificate: Certificate, parts: Parts) -> str:
    """Why it is not shown who asked; empty where it is."""
    asked = _read(parts, "asked")
    if fault := _fault(certificate, parts, "asked", certificate.operators.requester):
        return fault
    content, request = asked.content, parts["request.json"]
    if (content["pseudonym"], content["requester"]) != (certificate.pseudonym, content["operator"]):
        return "who asked signed another request"
    told = ("received_at", "channel", "ground")
    if any(content[name] != request[name] for name in told):
        return "request.json is not what was asked"
    return ""


def approval_fault(certificate: Certificate, parts: Parts) -> str:
    """Why it is not shown who approved, what was asked, before anything was done."""
    asked, approved = _read(parts, "asked"), _read(parts, "approved")
    if fault := _fault(certificate, parts, "approved", certificate.operators.approver):
        return fault
    own = {"says", "operator", "at", "identity"}
    if any(approved.content[name] != value for name, value in asked.content.items() if name not in own):
        return "what was approved is not what was asked"
    if not _before_the_work(parts["audit.jsonl"], "approved", approved.fingerprint):
        return "the audit log does not name this approval before the work began"
    recorded = datetime.fromisoformat(asked.content["recorded_at"])
    known = told(parts["operators.jsonl"])
    one, other = (known[signed.content["operator"]] for signed in (asked, approved))
    shown = approval_of(one, other, recorded, certificate.operators.signer)
    return "" if shown == certificate.approval else f"the certificate says {certificate.approval}, the keys {shown}"


def planning_fault(certificate: Certificate, parts: Parts) -> str:
    """Why it is not shown that the plan was signed once it was made, after the approval."""
    planned = _read(parts, "planned")
    if fault := _fault(certificate, parts, "planned"):
        return fault
    if planned.content["plan"] != digest(parts["plan.json"]):
        return "the plan that was signed is not plan.json"
    return "" if planned.at >= _read(parts, "approved").at else "the plan was signed before the approval"


def signer_fault(certificate: Certificate, parts: Parts) -> str:
    """Why it is not shown that who signs the certificate was a signer when it was issued; empty where it is."""
    lines = parts["operators.jsonl"]
    if not all(map(intact, lines)) or [line["seq"] for line in lines] != sorted({line["seq"] for line in lines}):
        return "operators.jsonl has lines that were altered, or moved"
    who = [each for each in told(lines).values() if each.key_id == certificate.operators.signer]
    if any("signer" in each.roles and each.in_force(certificate.issued_at) for each in who):
        return ""
    return f"key {certificate.operators.signer} was no signer's when the certificate was issued"


def _read(parts: Parts, says: Says) -> Signed:
    return Signed.model_validate(parts["signatures.json"][says])


def _fault(certificate: Certificate, parts: Parts, says: Says, key: str | None = None) -> str:
    """What is wrong with a signature by itself.

    Args:
        key: whose it must be by the certificate, where that tells.
    """
    signed = _read(parts, says)
    public, content = read_public(signed.public_key.encode()), signed.content
    operator = told(parts["operators.jsonl"])[content["operator"]]
    if not key_id(public) == operator.key_id == (key or operator.key_id):
        return f"the key of who {says} it is not the one that the certificate names"
    if not verify(public, canonical(content), bytes.fromhex(signed.signature)):
        return f"the signature that it was {says} was altered, or is of another key"
    if (content["says"], content["request"]) != (says, certificate.request):
        return f"the signature that it was {says} is of something else"
    if ROLE_OF[says] not in operator.roles or not operator.in_force(signed.at):
        return f"who {says} it was no {ROLE_OF[says]} then"
    return ""


def _before_the_work(lines: Sequence[Any], event: str, fingerprint: str) -> bool:
    for line in lines:
        facts = line.get("facts", {})
        if line.get("event") == event and facts.get("signature") == fingerprint:
            return True
        if facts.get("state") in _WORK:
            break
    return False
