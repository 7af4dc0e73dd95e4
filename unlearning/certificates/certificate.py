"""The certificate of an erasure: what was done, how strong the claim is, and the hashes by which anyone can check it.

    file = canonical({"certificate": …, "signature": …, "public_key": …, "key_id": …}),
    signature = Ed25519(canonical(certificate)),   certificate.previous = SHA-256(file before)

It never says "forgotten" unqualified: retrained without, never learned from, or approximately forgotten to a
threshold; and where no record was found, nothing but that.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import (
    AwareDatetime,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from fedrec.files import replacing
from fedrec.settings import Section
from unlearning.audit.canonical import canonical, digest
from unlearning.audit.fields import (
    Code,
    Condition,
    Count,
    Digest,
    KeyId,
    Line,
    Mark,
    Outcome,
    Pseudonym,
    RequestId,
    Seconds,
)
from unlearning.certificates.bridge import Bridge
from unlearning.certificates.claims import RETRAINED, Claim, claimed_threshold
from unlearning.operators.keys import key_id, write_public
from unlearning.verification import RETRAINING
from unlearning.way import UNLEARNED


class Adapter(Section):
    """One client's adapter of one shard: its hash before and after; None where there is none."""

    client: Line
    shard: Count
    before: Digest | None
    after: Digest | None


class Recipient(Section):
    """Who holds or held a copy and was told (GDPR Art. 19)."""

    name: Line
    notified: date | None


class Answered(Section):
    """A client on a machine of its own, and when it answered that it had erased."""

    client: Line
    at: AwareDatetime


class Remainder(Section):
    """Something that stays, and until when; None = not known."""

    what: Line
    until: date | None = None


class DpBudget(Section):
    """The (ε, δ) spent on the people who remain, erasure included."""

    epsilon: float = Field(ge=0)
    delta: float = Field(ge=0, lt=1)


class Operators(Section):
    """Key ids of who asked, who approved and who signed."""

    requester: KeyId
    approver: KeyId
    signer: KeyId


Approval = Literal["four-eyes", "late-key", "self-approved", "one-key"]

APPROVALS: Mapping[Approval, str] = {
    "four-eyes": "four eyes: asked for with one key, approved with another that was there when the request came",
    "late-key": "approved with a key that was made after the request had come: a second person is not shown",
    "self-approved": "one key asked and approved: a second person is not shown",
    "one-key": "one key asked, approved and signed: a second person is not shown",
}
"""How many people stand behind an erasure, as far as their keys show it."""


NOT_MEASURED = "not measured, as no row was there to measure it by: it shows nothing"
UNKNOWN = "not known, as no such model was trained"


def why_not_measured(what: str) -> str:
    """Why something is among `Certificate.not_measured`."""
    return UNKNOWN if what == RETRAINING else NOT_MEASURED


class Certificate(Section):
    """What is certified.

    Attributes:
        scope: the erased rows are those that meet all of these conditions of the request.
        client: whose rows alone the request was of; None = of every client's.
        shards: that had learned from them.
        rounds: that were run again, in each of the shards.
        dataset_before, dataset_after: `digest` of the data manifest's two sides.
        withdrawn_seconds, restored_seconds: from the start of the work to served-without, and to served again, by the
            audit log; None where it does not tell, or another request keeps one of the shards from being served.
        verification_report, evidence: SHA-256 of the bundle's `verification.json` and `MANIFEST.json`.
        unequal_adapters: those that a second training from the start did not give again; None = there was none.
        not_measured: what of the adapters nobody could measure, as too few rows were there to ask about, or no model
            was trained to compare with: see `unlearning.verification.unmeasured`.
        bridge: what answered until the exact answer did; answered: who was asked to erase on a machine of its own, and
            when it answered that it had. Neither is written where there was nothing of the kind.
        exceptions: what was left on purpose, such as backups beyond use.
        elsewhere: copies out of reach, such as exported adapters.
        previous: SHA-256 of the certificate file before this one.
        audit_head: the hash of the audit log's last line before this certificate.
    """

    schema_version: Literal["fedrec/erasure-certificate/1"] = "fedrec/erasure-certificate/1"
    request: RequestId
    pseudonym: Pseudonym
    scope: tuple[Condition, ...] = Field(min_length=1)
    client: Line | None = None
    method: Code
    claim: Claim
    code_version: Line
    config: Digest
    seeds: dict[str, int]
    dataset_before: Digest
    dataset_after: Digest
    adapters: tuple[Adapter, ...]
    shards: tuple[Count, ...]
    rounds: Count
    clients: tuple[Line, ...]
    withdrawn_seconds: Seconds | None
    restored_seconds: Seconds | None
    verification_report: Digest
    verdict: Outcome
    unequal_adapters: Count | None = None
    not_measured: tuple[Line, ...] = ()
    dp: DpBudget | None = None
    tombstone: Mark | None
    recipients: tuple[Recipient, ...] = ()
    exceptions: tuple[Remainder, ...] = ()
    elsewhere: tuple[Remainder, ...] = ()
    operators: Operators
    approval: Approval
    issued_at: AwareDatetime
    evidence: Digest
    audit_head: Digest
    previous: Digest | None
    bridge: Bridge | None = None
    answered: tuple[Answered, ...] = ()

    @model_serializer(mode="wrap")
    def _without_what_was_not_as_ever(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = written(self)
        if self.bridge is None:
            del content["bridge"]
        if not self.answered:
            del content["answered"]
        return content

    @model_validator(mode="after")
    def _claims_what_was_done(self) -> Certificate:
        approximate = claimed_threshold(self.claim) is not None
        if approximate != self.method.startswith(UNLEARNED):
            raise ValueError("the claim is not that of this method")
        if approximate and (not self.shards or self.bridge is not None):
            raise ValueError("an approximate claim is of shards, and nothing bridges to it")
        if claimed_threshold(self.claim) is None and (self.claim == RETRAINED) != bool(self.shards):
            raise ValueError("the claim is not that of these shards")
        if ("client" in self.scope) != (self.client is not None):
            raise ValueError("the scope and the client do not agree")
        return self


class SignedCertificate(Section):
    """A certificate with its signature.

    Attributes:
        signature: base64 of the 64 bytes.
        public_key: PEM.
    """

    certificate: Certificate
    signature: str
    public_key: str
    key_id: KeyId

    def as_bytes(self) -> bytes:
        """The file's content."""
        return canonical(self.model_dump(mode="json"))

    @property
    def digest(self) -> str:
        """SHA-256 of the file: what the next certificate names as `previous`."""
        return digest(self.model_dump(mode="json"))

    def save(self, path: Path) -> None:
        with replacing(path, durable=True) as partial:
            partial.write_bytes(self.as_bytes())


def certificate_of(facts: Mapping[str, Any], public: bytes, previous: str | None) -> Certificate:
    """The certificate that the owner of a public key is to sign.

    Args:
        facts: the fields of `Certificate` but `previous`; `operators` with `requester` and `approver`.
        previous: the `digest` of the certificate issued last; None for the first.

    Raises:
        ValueError: a fact is missing, unknown or not of its type. The message does not repeat the value.
    """
    content = {**facts, "operators": {**facts.get("operators", {}), "signer": key_id(public)}, "previous": previous}
    try:
        return Certificate.model_validate(content)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, found['loc']))}: {found['type']}" for found in error.errors())
        raise ValueError(f"certificate: {wrong}") from None


def issue(facts: Mapping[str, Any], key: Ed25519PrivateKey, previous: str | None) -> SignedCertificate:
    """Sign a certificate: `certificate_of`. The same facts, key and previous one give the same bytes."""
    public = key.public_key().public_bytes_raw()
    certificate = certificate_of(facts, public, previous)
    return SignedCertificate(
        certificate=certificate,
        signature=base64.b64encode(key.sign(canonical(certificate.model_dump(mode="json")))).decode(),
        public_key=write_public(public),
        key_id=key_id(public),
    )
