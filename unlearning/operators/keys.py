"""Ed25519 keys as bytes and PEM: who has one, what it is called, and whether a signature is by it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Literal, get_args

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fedrec.errors import FedrecError
from fedrec.files import replacing

Role = Literal["requester", "approver", "signer"]
ROLES: tuple[Role, ...] = get_args(Role)

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


def key_id(public_key: bytes) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a public key."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature (64 bytes) of the message is by the owner of the public key (32 bytes)."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def read_public(pem: bytes) -> bytes:
    """The 32 bytes of a public key in PEM.

    Raises:
        ValueError: it is not an Ed25519 public key.
    """
    try:
        key = serialization.load_pem_public_key(pem)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 public key")
    return key.public_bytes_raw()


def read_public_file(path: Path) -> bytes:
    """The 32 bytes of the public key in a file.

    Raises:
        FedrecError: it is not here, or broken.
    """
    try:
        return read_public(path.read_bytes())
    except (OSError, ValueError):
        raise FedrecError(f"{path}: no readable public key; restore the file from a backup") from None


def write_public_file(path: Path, public_key: bytes) -> None:
    """As PEM, on the disk when this returns."""
    with replacing(path, durable=True) as partial:
        partial.write_text(write_public(public_key), "ascii")


def read_publics(pem: bytes) -> list[bytes]:
    """All public keys of a PEM file, which may hold several and text between them, in their order.

    Raises:
        ValueError: it holds none, or a block that is no Ed25519 public key; the message says which.
    """
    blocks = list(_PEM.finditer(pem))
    if not blocks or len(blocks) != pem.count(b"-----BEGIN "):
        raise ValueError("no whole public key in PEM" if blocks else "no public key in PEM")
    found = []
    for number, block in enumerate(blocks, start=1):
        try:
            found.append(read_public(block.group()))
        except ValueError:
            raise ValueError(f"block {number} of {len(blocks)} is no Ed25519 public key") from None
    return found


def write_public(public_key: bytes) -> str:
    """A public key of 32 bytes as PEM."""
    key = Ed25519PublicKey.from_public_bytes(public_key)
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem.decode("ascii")
