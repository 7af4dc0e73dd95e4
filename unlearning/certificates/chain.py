"""The certificates of a folder as one chain, each naming the one before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from fedrec.errors import FedrecError
from unlearning.certificates.certificate import Certificate, SignedCertificate
from unlearning.certificates.checks import read_parts
from unlearning.certificates.continuity import succession
from unlearning.certificates.faults import Check, Fault
from unlearning.certificates.verify import (
    BEFORE,
    EVIDENCE,
    WHO,
    Verdict,
    parsed,
    read_file,
    read_signed,
    signer_of,
    verify_certificate,
)


def heads(folder: Path, but: str = "") -> list[str]:
    """The digests of the certificates that no other follows: one in a whole chain, none in an empty folder.

    Args:
        but: the request whose own certificate does not count, because it is issued again.

    Raises:
        FedrecError: a file is no certificate.
    """
    signed = []
    for path in sorted(folder.glob("*.json")):
        if path.stem != but:
            try:
                signed.append(parsed(read_file(path)))
            except Fault as fault:
                raise FedrecError(f"{path}: {fault}; restore it from a backup") from None
    return sorted({each.digest for each in signed} - {each.certificate.previous for each in signed})


def newest(folder: Path, but: str = "") -> str | None:
    """The certificate that the next one follows; None where there is none.

    Raises:
        FedrecError: they are not one row, so that nothing can follow.
    """
    found = heads(folder, but)
    if len(found) > 1:
        raise FedrecError(f"{folder}: the certificates are not one row; restore those that are missing from a backup")
    return found[0] if found else None


def in_row(folder: Path) -> list[SignedCertificate]:
    """The certificates of a folder, the first one first; without what is none, which `heads` refuses."""
    return in_order(signed for path in sorted(folder.glob("*.json")) if (signed := read_signed(path)))


def in_order(certificates: Iterable[SignedCertificate]) -> list[SignedCertificate]:
    """The first one first; where some are missing, the pieces that are left by their age."""
    found = {signed.digest: signed for signed in certificates}

    def place(signed: SignedCertificate) -> tuple[datetime, int]:
        first, count = signed, 0
        while (before := found.get(first.certificate.previous or "")) is not None:
            first, count = before, count + 1
        return first.certificate.issued_at, count

    return sorted(found.values(), key=place)


def verify_chain(folder: Path, *, bundles: Path | None = None, trusted: Mapping[str, bytes] | None = None) -> Verdict:
    """Check every certificate (*.json) of a folder, and that they are one chain from a first to a last.

    That the newest were removed cannot be seen from the others.

    Args:
        bundles: the folder of their evidence, each in one called as its certificate is. With it each certificate is
            also held against what the one before had left.

    Raises:
        FedrecError: there is no certificate.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise FedrecError(f"{folder}: no certificate there; name the folder that holds them")
    singles = {
        path.name: verify_certificate(path, trusted=trusted, bundle=bundles and bundles / path.stem) for path in files
    }
    row: dict[str, tuple[Path, Certificate]] = {}
    checks = [each._replace(name=f"{file}: {each.name}") for file, single in singles.items() for each in single.checks]
    for path in files:
        if signed := read_signed(path):
            first, _ = row.setdefault(signed.digest, (path, signed.certificate))
            if first != path:
                checks.append(Check(f"{path.name}: chain", False, f"is {first.name} under a second name: remove it"))
    followers: dict[str | None, Path] = {}
    for path, certificate in row.values():
        before = certificate.previous
        if before is not None and before not in row:
            checks.append(Check(f"{path.name}: chain", False, "the certificate before it is missing or was altered"))
        if (other := followers.setdefault(before, path)) != path:
            checks.append(Check(f"{path.name}: chain", False, f"follows the same one as {other.name}"))
    if None not in followers:
        checks.append(Check("chain", False, "no certificate is the first"))
    unchecked = [] if trusted is not None else [WHO]
    unchecked += [
        f"{file}: {why}"
        for file, single in singles.items()
        for why in single.unchecked
        if why not in (WHO, BEFORE, EVIDENCE)  # said of the chain as a whole
    ]
    if bundles is None:
        unchecked.append("what each began with: no evidence was given")
    elif all(check.ok for check in checks):
        evidence = {certificate.request: read_parts(bundles / path.stem) for path, certificate in row.values()}
        for said in succession(in_row(folder), evidence):
            if said.fault:
                checks.append(Check(f"{said.request}.json: what it began with", False, said.why))
            else:
                unchecked.append(f"{said.request}.json: {said.why}")
    if all(check.ok for check in checks):
        checks.append(Check("chain", True, f"{len(row)} in a row"))
    warnings = tuple(f"{file}: {warning}" for file, single in singles.items() for warning in single.warnings)
    return Verdict(tuple(checks), signer_of(checks, trusted), tuple(unchecked), warnings)
