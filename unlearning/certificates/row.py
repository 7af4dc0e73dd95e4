"""The certificates of a folder as one row, each naming the one before it."""

from __future__ import annotations

from pathlib import Path

from fedrec.errors import FedrecError
from unlearning.certificates.certificate import SignedCertificate
from unlearning.certificates.succession import in_order
from unlearning.certificates.verify import read_signed


def heads(folder: Path, but: str = "") -> list[str]:
    """The digests of the certificates that no other follows: one in a whole row, none in an empty folder.

    Args:
        but: the request whose own certificate does not count, because it is issued again.

    Raises:
        FedrecError: a file is no certificate.
    """
    previous = {}
    for path in sorted(folder.glob("*.json")):
        if path.stem != but:
            signed, why = read_signed(path)
            if signed is None:
                raise FedrecError(f"{path}: {why}; restore it from a backup")
            previous[signed.digest] = signed.certificate.previous
    return sorted(previous.keys() - set(previous.values()))


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
    found = (read_signed(path)[0] for path in sorted(folder.glob("*.json")))
    return in_order(signed for signed in found if signed is not None)
