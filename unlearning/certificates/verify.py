"""Verify a certificate offline, from its bytes: every altered byte fails, and what could not be checked is said."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from fedrec.errors import FedrecError
from unlearning.audit.canonical import canonical, parse
from unlearning.certificates.certificate import APPROVALS, Approval, Certificate, SignedCertificate, why_not_measured
from unlearning.certificates.checks import check_bundle
from unlearning.certificates.faults import Check, Fault, checked, require
from unlearning.operators.keys import key_id, read_public, verify, write_public

WHO = "who signed: no trusted keys were given"
BEFORE = "the chain: the certificate before was not given"
EVIDENCE = "the evidence: no bundle was given"
Signer = Literal["trusted", "untrusted", "unknown"]


@dataclass(frozen=True)
class Verdict:
    """What was checked, and what could not be for want of something.

    Attributes:
        signer: whether the key that signed is among the trusted ones; unknown where none were given.
        warnings: what was checked and is not so, though nothing was altered: no second person, nothing measured.
        approval: how many people stand behind the one certificate that was checked.
    """

    checks: tuple[Check, ...]
    signer: Signer
    unchecked: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    approval: Approval | None = None

    @property
    def intact(self) -> bool:
        """Nothing was altered since somebody signed it, whoever that was."""
        return all(check.ok for check in self.checks)

    @property
    def ok(self) -> bool:
        """It is intact, and signed by somebody who is trusted."""
        return self.intact and self.signer == "trusted"


def verify_certificate(
    path: Path,
    *,
    bundle: Path | None = None,
    trusted: Mapping[str, bytes] | None = None,
    previous: Path | None = None,
) -> Verdict:
    """Check a certificate file.

    Args:
        bundle: the folder of evidence beside it.
        trusted: public keys (32 bytes) by key id. Without them the signature shows only that nothing was altered since
            somebody signed it, not who: such a verdict may be intact, and is never ok.
        previous: the file of the certificate before it.

    Raises:
        FedrecError: there is no such file.
    """
    try:
        signed = parsed(read_file(path))
    except Fault as fault:
        return Verdict((Check("form", False, str(fault)),), "unknown" if trusted is None else "untrusted")
    own, passed = signed.certificate, signed.certificate.verdict == "PASS"
    checks, unchecked = (
        [Check("form", True, f"canonical, {own.schema_version}"), checked("signature", _signed, signed)],
        [],
    )
    checks.append(Check("verdict", passed, "PASS" if passed else "FAIL: the erasure is not shown to have worked"))
    if trusted is None:
        unchecked.append(WHO)
    else:
        checks.append(checked("signer", _trusted, signed, trusted))
        people = {"asked": own.operators.requester, "approved": own.operators.approver}
        strangers = {did: key for did, key in people.items() if key not in trusted}
        unchecked += [f"who {did}: key {key} is not among the trusted ones" for did, key in strangers.items()]
    if previous is not None:
        named = hashlib.sha256(read_file(previous)).hexdigest() == own.previous
        why = str(previous) if named else f"{previous} is not the one named"
        checks.append(Check("previous certificate", named, why))
    elif own.previous is not None:
        unchecked.append(BEFORE)
    if bundle is None:
        unchecked.append(EVIDENCE)
    else:
        checks += check_bundle(own, bundle)
    return Verdict(tuple(checks), signer_of(checks, trusted), tuple(unchecked), warnings_of(own), own.approval)


def warnings_of(certificate: Certificate) -> tuple[str, ...]:
    """What it says itself that it does not show."""
    alone = [] if certificate.approval == "four-eyes" else [f"a second person: {APPROVALS[certificate.approval]}"]
    return *alone, *(f"{what}: {why_not_measured(what)}" for what in certificate.not_measured)


def signer_of(checks: Iterable[Check], trusted: Mapping[str, bytes] | None) -> Signer:
    if trusted is None:
        return "unknown"
    return "trusted" if all(check.ok for check in checks if check.name.endswith("signer")) else "untrusted"


def read_signed(path: Path) -> SignedCertificate | None:
    """The certificate in a file; None where it is none.

    Raises:
        FedrecError: there is no such file.
    """
    try:
        return parsed(read_file(path))
    except Fault:
        return None


def read_file(path: Path) -> bytes:
    """
    Raises:
        FedrecError: there is no such file.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise FedrecError(f"{path}: cannot be read ({error.strerror}); name a certificate file") from None


def parsed(raw: bytes) -> SignedCertificate:
    """The certificate whose file these bytes are.

    Raises:
        Fault: they are not exactly what this version of the schema would write.
    """
    try:
        signed = SignedCertificate.model_validate(parse(raw))
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "the whole"
        raise Fault(f"{where} is not as the schema wants it") from None
    except ValueError as error:
        raise Fault(f"not a certificate: {error}") from None
    require(signed.as_bytes() == raw, "not written as the schema wants it")
    return signed


def _signed(signed: SignedCertificate) -> str:
    """The signature, and that signature, key and key id are each spelled in the one way they can be."""
    try:
        public = read_public(signed.public_key.encode())
        signature = base64.b64decode(signed.signature, validate=True)
    except ValueError:
        raise Fault("the key or the signature cannot be read") from None
    spelled = (write_public(public), base64.b64encode(signature).decode()) == (signed.public_key, signed.signature)
    require(spelled, "the key or the signature is not in canonical form")
    named = key_id(public) == signed.key_id == signed.certificate.operators.signer
    require(named, "the key is not that of the signer whom the certificate names")
    genuine = verify(public, canonical(signed.certificate.model_dump(mode="json")), signature)
    require(genuine, "the certificate was altered, or not signed with this key")
    return f"Ed25519, key {signed.key_id}"


def _trusted(signed: SignedCertificate, trusted: Mapping[str, bytes]) -> str:
    known = trusted.get(signed.key_id)
    require(known is not None, f"key {signed.key_id} is not among the trusted ones")
    require(known and write_public(known) == signed.public_key, "another key of the same id is trusted")
    return f"key {signed.key_id} is trusted"
