"""Ed25519 key pairs of named operators, in a folder that only its owner can read.

operators.json   who there is: roles, key id, when made, when revoked
NAME.key         the private key, PEM (PKCS 8), mode 0600, under a passphrase where one was given
NAME.pub         the public key, PEM
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from filelock import FileLock
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from fedrec.config import Section
from fedrec.errors import FedrecError, UsageError
from fedrec.files import read_json, replacing, write_json
from unlearning.certificates.fields import KeyId, OperatorName

Role = Literal["requester", "approver", "signer"]
ROLES: tuple[Role, ...] = get_args(Role)


class Operator(Section):
    """One who may ask for erasures, approve them or sign certificates."""

    name: OperatorName
    roles: tuple[Role, ...]
    key_id: KeyId
    created: AwareDatetime
    revoked_at: AwareDatetime | None = None


_REGISTRY = TypeAdapter(tuple[Operator, ...])
_NAME = TypeAdapter(OperatorName)


class OperatorKeys:
    """The operators of a folder and their keys. Safe with several processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def operators(self) -> tuple[Operator, ...]:
        """All operators, revoked ones too, in the order they were made.

        Raises:
            FedrecError: the registry is broken.
        """
        path = self.folder / "operators.json"
        if not path.exists():
            return ()
        try:
            return _REGISTRY.validate_python(read_json(path))
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            raise FedrecError(f"{path}: {where} is wrong; restore the file from a backup") from None

    def names(self, role: Role | None = None) -> tuple[str, ...]:
        """The operators in force, those with a role where one is given."""
        there = (operator for operator in self.operators() if operator.revoked_at is None)
        return tuple(operator.name for operator in there if role is None or role in operator.roles)

    def operator(self, name: str) -> Operator:
        """
        Raises:
            UsageError: there is none of that name.
        """
        for operator in self.operators():
            if operator.name == name:
                return operator
        known = ", ".join(self.names()) or "none yet"
        raise UsageError(f"operator {name!r}: unknown; known are {known}; `fedrec forget keys` makes one")

    def create(self, name: str, roles: Sequence[Role] = ROLES, passphrase: str | None = None) -> Operator:
        """Make an operator's key pair.

        Raises:
            UsageError: the name or a role is not valid, the passphrase is empty, or the name is taken (a revoked one
                stays taken: it has signed).
            FedrecError: others can write in the folder.
        """
        _check_words(name, roles, passphrase)
        with self._lock():
            if name in (operator.name for operator in self.operators()):
                raise UsageError(f"operator {name!r}: there is one already; choose another name")
            return self._create(name, roles, passphrase)

    def ensure_one(self, name: str = "operator") -> tuple[str, bool]:
        """The first operator in force, and whether it had to be made: in an empty folder, with every role.

        Raises:
            FedrecError: all operators are revoked, so that making one takes a decision.
        """
        with self._lock():
            if not self.operators():
                return self._create(name, ROLES, None).name, True
            if not (names := self.names()):
                raise FedrecError(f"{self.folder}: every operator is revoked; `fedrec forget keys` makes a new one")
            return names[0], False

    def revoke(self, name: str) -> None:
        """From now on the operator's signatures count no more, and none can be made. Again: nothing happens.

        Raises:
            UsageError: there is no such operator.
        """
        with self._lock():
            self.operator(name)
            now = datetime.now(UTC)
            self._write(
                operator.model_copy(update={"revoked_at": now})
                if operator.name == name and operator.revoked_at is None
                else operator
                for operator in self.operators()
            )

    def sign(self, name: str, message: bytes, passphrase: str | None = None) -> bytes:
        """The operator's signature, 64 bytes.

        Raises:
            UsageError: there is no such operator.
            FedrecError: they are revoked, the passphrase is wrong, or others can read the key.
        """
        if self.operator(name).revoked_at is not None:
            raise FedrecError(f"operator {name!r}: revoked, so it signs nothing; use another operator's key")
        path = self.folder / f"{name}.key"
        try:
            _refuse_others(path, 0o077, "600")
            raw, secret = path.read_bytes(), passphrase.encode() if passphrase else None
            key = serialization.load_pem_private_key(raw, secret)
        except FileNotFoundError:
            raise FedrecError(f"{path}: the private key is not here; sign where it is, or restore it") from None
        except TypeError:
            state = "not under a passphrase; leave it out" if passphrase else "under a passphrase; give it"
            raise FedrecError(f"{path}: the key is {state}") from None
        except (ValueError, UnsupportedAlgorithm):
            raise FedrecError(f"{path}: the passphrase is wrong, or the file is broken") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise FedrecError(f"{path}: not an Ed25519 key; restore the file from a backup")
        return key.sign(message)

    def check(self, name: str, message: bytes, signature: bytes) -> bool:
        """Whether the signature is the operator's, who is known and not revoked."""
        return name in self.names() and verify(self.public(name), message, signature)

    def public(self, name: str) -> bytes:
        """The operator's public key, 32 bytes.

        Raises:
            UsageError: there is no such operator.
            FedrecError: the file is gone or is not the key that the registry names.
        """
        operator, path = self.operator(name), self.folder / f"{name}.pub"
        try:
            raw = read_public(path.read_bytes())
        except (OSError, ValueError):
            raise FedrecError(f"{path}: no readable public key; restore the file from a backup") from None
        if key_id(raw) != operator.key_id:
            raise FedrecError(f"{path}: not key {operator.key_id} of {name!r}; restore the file from a backup")
        return raw

    def export(self, name: str) -> str:
        """The public key as PEM, to be given to whoever verifies.

        Raises:
            as `public`
        """
        return write_public(self.public(name))

    def _lock(self) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _refuse_others(self.folder, 0o022, "700")
        return FileLock(self.folder / ".lock")

    def _create(self, name: str, roles: Sequence[Role], passphrase: str | None) -> Operator:
        key = Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes_raw()
        sealed = (
            serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
        )
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
        with replacing(self.folder / f"{name}.key") as partial:
            partial.touch(mode=0o600)
            partial.chmod(0o600)
            partial.write_bytes(pem)
        with replacing(self.folder / f"{name}.pub") as partial:
            partial.write_text(write_public(public), "ascii")
        operator = Operator(name=name, roles=tuple(roles), key_id=key_id(public), created=datetime.now(UTC))
        self._write((*self.operators(), operator))
        return operator

    def _write(self, operators: Iterable[Operator]) -> None:
        write_json(self.folder / "operators.json", [operator.model_dump(mode="json") for operator in operators])


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


def write_public(public_key: bytes) -> str:
    """A public key of 32 bytes as PEM."""
    key = Ed25519PublicKey.from_public_bytes(public_key)
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem.decode("ascii")


def _check_words(name: str, roles: Sequence[Role], passphrase: str | None) -> None:
    try:
        _NAME.validate_python(name)
    except ValidationError:
        raise UsageError(f"operator {name!r}: use up to 64 letters, digits, dots, dashes; a letter first") from None
    if not roles or not set(roles) <= set(ROLES):
        raise UsageError(f"roles {', '.join(roles) or 'none'}: choose of {', '.join(ROLES)}")
    if passphrase == "":
        raise UsageError("the passphrase is empty: give one, or none at all")


def _refuse_others(path: Path, forbidden: int, mend: str) -> None:
    if path.stat().st_mode & forbidden:
        raise FedrecError(f"{path}: open to other users of this machine; close it: chmod {mend} {path}")
