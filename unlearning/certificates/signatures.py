"""Who asked for an erasure, approved it and planned it: what each signed, checked offline from the evidence.

    signatures.json = {"asked": …, "approved": …, "planned": …}, each
    {"content": what was signed, "signature": hexadecimal, "public_key": PEM}
    operators.jsonl = the audit log's lines of operators: who had which key and roles, from when until when

That a key is the named person's is as good as the word of whoever vouches for the key: the trusted keys of `verify`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from fedrec.settings import Section
from unlearning.audit.canonical import canonical, digest
from unlearning.audit.chain import intact
from unlearning.certificates.certificate import Approval, Certificate
from unlearning.certificates.faults import Parts, require
from unlearning.operators.keys import Role, key_id, read_public, verify
from unlearning.operators.registry import Operator, told

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


def check_asked(certificate: Certificate, parts: Parts) -> None:
    """It is shown who asked, and for what."""
    content, request = (
        _checked(certificate, parts, "asked", certificate.operators.requester).content,
        parts["request.json"],
    )
    own = (certificate.pseudonym, content["operator"])
    require((content["pseudonym"], content["requester"]) == own, "who asked signed another request")
    same = all(content[name] == request[name] for name in ("received_at", "channel", "ground"))
    require(same, "request.json is not what was asked")


def check_approved(certificate: Certificate, parts: Parts) -> None:
    """It is shown who approved what was asked, before anything was done."""
    asked = _read(parts, "asked").content
    approved = _checked(certificate, parts, "approved", certificate.operators.approver)
    said = {name: value for name, value in asked.items() if name not in ("says", "operator", "at", "identity")}
    require(said.items() <= approved.content.items(), "what was approved is not what was asked")
    early = _before_the_work(parts["audit.jsonl"], approved)
    require(early, "the audit log does not name this approval before the work began")
    known, recorded = told(parts["operators.jsonl"]), datetime.fromisoformat(asked["recorded_at"])
    one, other = known[asked["operator"]], known[approved.content["operator"]]
    shown = approval_of(one, other, recorded, certificate.operators.signer)
    require(shown == certificate.approval, f"the certificate says {certificate.approval}, the keys {shown}")


def check_planned(certificate: Certificate, parts: Parts) -> None:
    """It is shown that the plan was signed once it was made, after the approval."""
    planned = _checked(certificate, parts, "planned")
    require(planned.content["plan"] == digest(parts["plan.json"]), "the plan that was signed is not plan.json")
    require(planned.at >= _read(parts, "approved").at, "the plan was signed before the approval")


def check_signer(certificate: Certificate, parts: Parts) -> None:
    """It is shown that who signs the certificate was a signer when it was issued."""
    lines, key = parts["operators.jsonl"], certificate.operators.signer
    ordered = [line["seq"] for line in lines] == sorted({line["seq"] for line in lines})
    require(ordered and all(map(intact, lines)), "operators.jsonl has lines that were altered, or moved")
    who = [each for each in told(lines).values() if each.key_id == key]
    signer = any("signer" in each.roles and each.in_force(certificate.issued_at) for each in who)
    require(signer, f"key {key} was no signer's when the certificate was issued")


def _read(parts: Parts, says: Says) -> Signed:
    return Signed.model_validate(parts["signatures.json"][says])


def _checked(certificate: Certificate, parts: Parts, says: Says, key: str | None = None) -> Signed:
    """A signature that is right by itself.

    Args:
        key: whose it must be by the certificate, where that tells.
    """
    signed = _read(parts, says)
    public, content = read_public(signed.public_key.encode()), signed.content
    operator = told(parts["operators.jsonl"])[content["operator"]]
    same = key_id(public) == operator.key_id == (key or operator.key_id)
    require(same, f"the key of who {says} it is not the one that the certificate names")
    genuine = verify(public, canonical(content), bytes.fromhex(signed.signature))
    require(genuine, f"the signature that it was {says} was altered, or is of another key")
    own = (content["says"], content["request"]) == (says, certificate.request)
    require(own, f"the signature that it was {says} is of something else")
    entitled = ROLE_OF[says] in operator.roles and operator.in_force(signed.at)
    require(entitled, f"who {says} it was no {ROLE_OF[says]} then")
    return signed


def _before_the_work(lines: Sequence[Any], approved: Signed) -> bool:
    """Whether the log tells of the approval before anything was done."""
    for line in lines:
        facts = line.get("facts", {})
        if line.get("event") == "approved" and facts.get("signature") == approved.fingerprint:
            return True
        if facts.get("state") in _WORK:
            break
    return False
