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
from unlearning.certificates.certificate import APPROVALS, NOT_MEASURED, Approval, Certificate, SignedCertificate
from unlearning.certificates.checks import Check, check_bundle
from unlearning.operators.keys import key_id, read_public, verify, write_public

WHO = "who signed: no trusted keys were given"
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
    raw = read_file(path)
    signed, why = _parsed(raw)
    checks = [Check("form", signed is not None, why)]
    if signed is None:
        return Verdict(tuple(checks), "unknown" if trusted is None else "untrusted")
    passed = signed.certificate.verdict == "PASS"
    checks.append(_signature(signed))
    checks.append(Check("verdict", passed, "PASS" if passed else "FAIL: the erasure is not shown to have worked"))
    unchecked = []
    if trusted is None:
        unchecked.append(WHO)
    else:
        checks.append(_trusted(signed, trusted))
        unchecked += [
            f"who {did}: key {key} is not among the trusted ones"
            for did, key in (
                ("asked", signed.certificate.operators.requester),
                ("approved", signed.certificate.operators.approver),
            )
            if key not in trusted
        ]
    if previous is not None:
        named = hashlib.sha256(read_file(previous)).hexdigest() == signed.certificate.previous
        checks.append(
            Check("previous certificate", named, str(previous) if named else f"{previous} is not the one named")
        )
    elif signed.certificate.previous is not None:
        unchecked.append("the chain: the certificate before was not given")
    if bundle is None:
        unchecked.append("the evidence: no bundle was given")
    else:
        checks += check_bundle(signed.certificate, bundle)
    own = signed.certificate
    return Verdict(tuple(checks), signer_of(checks, trusted), tuple(unchecked), warnings_of(own), own.approval)


def warnings_of(certificate: Certificate) -> tuple[str, ...]:
    """What it says itself that it does not show."""
    alone = [] if certificate.approval == "four-eyes" else [f"a second person: {APPROVALS[certificate.approval]}"]
    return *alone, *(f"{what}: {NOT_MEASURED}" for what in certificate.not_measured)


def signer_of(checks: Iterable[Check], trusted: Mapping[str, bytes] | None) -> Signer:
    if trusted is None:
        return "unknown"
    return "trusted" if all(check.ok for check in checks if check.name.endswith("signer")) else "untrusted"


def read_signed(path: Path) -> tuple[SignedCertificate | None, str]:
    """The certificate in a file, if its bytes are exactly what this version of the schema would write; else why not.

    Raises:
        FedrecError: there is no such file.
    """
    return _parsed(read_file(path))


def read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FedrecError(f"{path}: cannot be read ({error.strerror}); name a certificate file") from None


def _parsed(raw: bytes) -> tuple[SignedCertificate | None, str]:
    """The certificate, if the bytes are exactly what this version of the schema would write; else why not."""
    try:
        content = parse(raw)
        signed = SignedCertificate.model_validate(content)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "the whole"
        return None, f"{where} is not as the schema wants it"
    except ValueError as error:
        return None, f"not a certificate: {error}"
    if signed.as_bytes() != raw:
        return None, "not written as the schema wants it"
    return signed, f"canonical, {signed.certificate.schema_version}"


def _signature(signed: SignedCertificate) -> Check:
    """The signature, and that signature, key and key id are each spelled in the one way they can be."""
    name = "signature"
    try:
        public = read_public(signed.public_key.encode())
        signature = base64.b64decode(signed.signature, validate=True)
    except ValueError:
        return Check(name, False, "the key or the signature cannot be read")
    if write_public(public) != signed.public_key or base64.b64encode(signature).decode() != signed.signature:
        return Check(name, False, "the key or the signature is not in canonical form")
    if not key_id(public) == signed.key_id == signed.certificate.operators.signer:
        return Check(name, False, "the key is not that of the signer whom the certificate names")
    if not verify(public, canonical(signed.certificate.model_dump(mode="json")), signature):
        return Check(name, False, "the certificate was altered, or not signed with this key")
    return Check(name, True, f"Ed25519, key {signed.key_id}")


def _trusted(signed: SignedCertificate, trusted: Mapping[str, bytes]) -> Check:
    known = trusted.get(signed.key_id)
    if known is None:
        return Check("signer", False, f"key {signed.key_id} is not among the trusted ones")
    same = write_public(known) == signed.public_key
    return Check("signer", same, f"key {signed.key_id} is trusted" if same else "another key of the same id is trusted")
