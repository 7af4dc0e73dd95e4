"""The operators of a run and their public keys; the private ones are elsewhere (`keyring`).

operators.json   who there is: roles, key id, when registered, when revoked
NAME.pub         the public key, PEM
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from fedrec.errors import FedrecError, UsageError, command
from fedrec.files import read_json, write_json
from fedrec.settings import Section
from unlearning.audit.fields import KeyId, OperatorName
from unlearning.operators.keyring import refuse_others
from unlearning.operators.keys import ROLES, Role, key_id, read_public_file, verify, write_public, write_public_file

OnChange = Callable[[str, dict[str, Any]], datetime]
"""Told of a change before it is written, in the words of `audit.fields.Facts`; says when that was told."""


class Operator(Section):
    """One who may ask for erasures, approve them or sign certificates: from `created` on, until revoked."""

    name: OperatorName
    roles: tuple[Role, ...]
    key_id: KeyId
    created: AwareDatetime
    revoked_at: AwareDatetime | None = None

    def in_force(self, at: datetime | None = None) -> bool:
        """Then; None: now."""
        if at is None:
            return self.revoked_at is None
        return self.created <= at and (self.revoked_at is None or at < self.revoked_at)


REGISTERED, REVOKED = "operator-registered", "operator-revoked"


def told(lines: Iterable[Mapping[str, Any]]) -> dict[str, Operator]:
    """The operators as the lines of an audit log tell of them, by name.

    Raises:
        ValueError, KeyError, TypeError: a line is not of the form that the log's lines have.
    """
    found: dict[str, Operator] = {}
    for line in lines:
        facts = line["facts"]
        if line["event"] == REGISTERED:
            who = {name: facts[name] for name in ("roles", "key_id")}
            new = Operator(name=facts["operator"], created=line["at"], **who)
            found.setdefault(new.name, new)  # a name stays taken
        elif line["event"] == REVOKED and (before := found.get(facts["operator"])) and before.revoked_at is None:
            found[before.name] = before.model_copy(update={"revoked_at": datetime.fromisoformat(line["at"])})
    return found


_REGISTRY = TypeAdapter(tuple[Operator, ...])
_NAME = TypeAdapter(OperatorName)


class Registry:
    """The operators in a folder. Safe with several processes."""

    def __init__(self, folder: Path, on_change: OnChange) -> None:
        self.folder, self._on_change = folder, on_change

    def operators(self) -> tuple[Operator, ...]:
        """All operators, revoked ones too, in the order they were registered.

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

    def names(self, role: Role | None = None, at: datetime | None = None) -> tuple[str, ...]:
        """The operators in force then (None: now), those with a role where one is given."""
        there = (operator for operator in self.operators() if operator.in_force(at))
        return tuple(operator.name for operator in there if role is None or role in operator.roles)

    def operator(self, name: str) -> Operator:
        """
        Raises:
            UsageError: there is none of that name.
        """
        for operator in self.operators():
            if operator.name == name:
                return operator
        none = "none is in force" if self.operators() else "no operator is registered"
        there = f"; name one of {', '.join(self.names())}, or" if self.names() else f", and {none};"
        mend = command("forget keys --run RUN --create", name)
        raise UsageError(f"operator {name!r}: unknown{there} make one with {mend}")

    def register(self, name: str, roles: Sequence[Role], public: Callable[[], bytes]) -> Operator:
        """A new operator.

        Args:
            public: gives the public key, 32 bytes; asked once the name and the roles are found good.

        Raises:
            UsageError: the name or a role is not valid, or the name is taken (a revoked one stays taken: it has
                signed), or the key is another operator's.
            FedrecError: others can write in the folder.
        """
        _check_words(name, roles)
        with self._lock():
            if name in (operator.name for operator in self.operators()):
                raise UsageError(f"operator {name!r}: there is one already; choose another name")
            return self._register(name, roles, public())

    def ensure_one(self, name: str, public: Callable[[], bytes]) -> tuple[str, bool]:
        """The first operator in force, and whether it had to be registered: in an empty folder, with every role.

        Raises:
            FedrecError: all operators are revoked, so that making one takes a decision.
        """
        with self._lock():
            if not self.operators():
                return self._register(name, ROLES, public()).name, True
            if not (names := self.names()):
                raise FedrecError(f"{self.folder}: every operator is revoked; make another")
            return names[0], False

    def revoke(self, name: str) -> None:
        """From now on the operator's signatures count no more. Again: nothing happens.

        Raises:
            UsageError: there is no such operator.
        """
        with self._lock():
            operator = self.operator(name)
            if operator.revoked_at is not None:
                return
            at = self._on_change(REVOKED, {"operator": name, "key_id": operator.key_id})
            revoked = operator.model_copy(update={"revoked_at": at})
            self._write(revoked if other.name == name else other for other in self.operators())

    def check(self, name: str, message: bytes, signature: bytes, at: datetime | None = None) -> bool:
        """Whether the signature is the operator's, who is known and was in force then (None: is now)."""
        return name in self.names(at=at) and verify(self.public(name), message, signature)

    def public(self, name: str) -> bytes:
        """The operator's public key, 32 bytes.

        Raises:
            UsageError: there is no such operator.
            FedrecError: the file is gone or is not the key that the registry names.
        """
        operator, path = self.operator(name), self.folder / f"{name}.pub"
        raw = read_public_file(path)
        if key_id(raw) != operator.key_id:
            raise FedrecError(f"{path}: not key {operator.key_id} of {name!r}; restore the file from a backup")
        return raw

    def publics(self) -> dict[str, bytes]:
        """Every operator's public key by key id, also of those who are revoked: they have signed."""
        return {operator.key_id: self.public(operator.name) for operator in self.operators()}

    def export(self, name: str) -> str:
        """The public key as PEM, to be given to whoever verifies.

        Raises:
            as `public`
        """
        return write_public(self.public(name))

    def _lock(self) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        refuse_others(self.folder, 0o022, "700")
        return FileLock(self.folder / ".lock", mode=0o600)

    def _register(self, name: str, roles: Sequence[Role], public: bytes) -> Operator:
        for other in self.operators():
            if other.key_id == key_id(public):
                raise UsageError(f"operator {name!r}: has the key of {other.name!r}; one key is one person's")
        at = self._on_change(REGISTERED, {"operator": name, "key_id": key_id(public), "roles": list(roles)})
        operator = Operator(name=name, roles=tuple(roles), key_id=key_id(public), created=at)
        write_public_file(self.folder / f"{name}.pub", public)
        self._write((*self.operators(), operator))
        return operator

    def _write(self, operators: Iterable[Operator]) -> None:
        write_json(self.folder / "operators.json", [operator.model_dump(mode="json") for operator in operators])


def _check_words(name: str, roles: Sequence[Role]) -> None:
    try:
        _NAME.validate_python(name)
    except ValidationError:
        raise UsageError(f"operator {name!r}: use up to 64 letters, digits, dots, dashes; a letter first") from None
    if not roles or not set(roles) <= set(ROLES):
        raise UsageError(f"roles {', '.join(roles) or 'none'}: choose of {', '.join(ROLES)}")
