"""Operators' private keys, in a folder of the person they belong to, away from every run.

NAME.key    the private key, PEM (PKCS 8), mode 0600, under a passphrase unless its owner wanted none
NAME.pub    the public key, PEM
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from filelock import FileLock

from fedrec.errors import FedrecError
from fedrec.files import write_bytes
from unlearning.operators.keys import read_public_file, write_public_file

Ask = Callable[[Path, bool], str]
"""Gives the passphrase of a key file; the second argument says whether the key is new, so that it is being chosen."""


class Keyring:
    """The keys in a folder, each opened once. Safe with several processes."""

    def __init__(self, folder: Path, ask: Ask) -> None:
        self.folder, self._ask = folder, ask
        self._opened: dict[str, Ed25519PrivateKey] = {}

    def path(self, name: str) -> Path:
        """Where the private key of that name is, or would be."""
        return self.folder / f"{name}.key"

    def make(self, name: str, protected: bool = True) -> bytes:
        """The public key, 32 bytes, of that name: of the pair that is here, or of a new one.

        Args:
            name: a plain word.
            protected: a new private key is kept under a passphrase, which is asked for.

        Raises:
            FedrecError: others can write in the folder, or there is no passphrase to be had.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        refuse_others(self.folder, 0o022, "700")
        with FileLock(self.folder / ".lock", mode=0o600):
            if not self.path(name).exists():
                self._make(name, protected)
            return self.public(name)

    def public(self, name: str) -> bytes:
        """
        Raises:
            FedrecError: it is not here, or broken.
        """
        return read_public_file(self.folder / f"{name}.pub")

    def key(self, name: str) -> Ed25519PrivateKey:
        """
        Raises:
            FedrecError: it is not here, others can read it, or the passphrase is missing or wrong.
        """
        if name not in self._opened:
            self._opened[name] = self._open(self.path(name))
        return self._opened[name]

    def _make(self, name: str, protected: bool) -> None:
        key, path = Ed25519PrivateKey.generate(), self.path(name)
        passphrase = self._ask(path, True) if protected else ""
        if protected and not passphrase:
            raise FedrecError(f"{path}: the passphrase is empty; choose one, or say --no-passphrase")
        sealed = (
            serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
        )
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
        write_public_file(self.folder / f"{name}.pub", key.public_key().public_bytes_raw())
        write_bytes(path, pem)  # the pair is here once this one is

    def _open(self, path: Path) -> Ed25519PrivateKey:
        try:
            refuse_others(path, 0o077, "600")
            raw = path.read_bytes()
        except FileNotFoundError:
            raise FedrecError(
                f"{path}: the private key is not here; sign where it is, or name its folder by --keys or FEDREC_KEYS"
            ) from None
        try:
            try:
                key = serialization.load_pem_private_key(raw, None)
            except TypeError:
                key = serialization.load_pem_private_key(raw, self._ask(path, False).encode())
        except (ValueError, UnsupportedAlgorithm):
            raise FedrecError(f"{path}: the passphrase is wrong, or the file is broken") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise FedrecError(f"{path}: not an Ed25519 key; restore the file from a backup")
        return key


def refuse_others(path: Path, forbidden: int, mend: str) -> None:
    """
    Raises:
        FedrecError: the path's mode allows what is forbidden.
    """
    if path.stat().st_mode & forbidden:
        raise FedrecError(f"{path}: open to other users of this machine; close it: chmod {mend} {path}")
