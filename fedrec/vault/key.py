"""The vault's HMAC key: 32 random bytes in a file beside it, never in the database or its backups."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from fedrec.errors import FedrecError
from fedrec.files import write_bytes

LENGTH = 32


def key_path(vault: Path) -> Path:
    return vault.with_name(vault.name + ".key")


def make_key(path: Path) -> bytes:
    """The key in the file, or a new one; a file that a crash left unfinished is written again."""
    if path.is_file() and path.stat().st_size == LENGTH:
        return path.read_bytes()
    write_bytes(path, key := secrets.token_bytes(LENGTH))
    return key


def read_key(path: Path, check: str) -> bytes:
    """
    Args:
        check: what `check_value` gave for the vault's key.

    Raises:
        FedrecError: the file is missing, or holds another key.
    """
    try:
        key = path.read_bytes()
    except OSError as error:
        raise FedrecError(f"{path}: the vault's key cannot be read ({error.strerror}); put the file back") from None
    if check_value(key) != check:
        raise FedrecError(f"{path}: not the key of this vault; put the right file back")
    return key


def keyed(key: bytes, digest: str) -> str:
    """HMAC-SHA256 of a digest, 64 hexadecimal digits."""
    return hmac.digest(key, digest.encode(), hashlib.sha256).hex()


def check_value(key: bytes) -> str:
    """What tells the right key from a wrong one and nothing else."""
    return hmac.digest(key, b"check", hashlib.sha256).hex()
