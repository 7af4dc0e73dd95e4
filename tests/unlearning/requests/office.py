"""An office that handles requests: operators with keys, and a ledger they sign for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import TypeAdapter

from fedrec.data.selection import Selection
from unlearning.audit.fields import Code, Facts
from unlearning.operators.keys import Role
from unlearning.requests.ledger import Ledger
from unlearning.requests.policy import Policy
from unlearning.requests.request import Request
from unlearning.requests.signing import Origin
from unlearning.requests.states import PATH, State
from unlearning.requests.subjects import SubjectKeys
from unlearning.requests.transitions import Decision

PERSON = "Zacharias-4711"
NOW = datetime(2026, 1, 31, 22, 30, tzinfo=UTC)
PLAN = {"rounds": 3, "path": "exact", "shards": [0, 2]}


class Operators:
    """The keys of ada and ben, who may do everything, and of max, who may only ask; it knows nobody else."""

    def __init__(self) -> None:
        self._keys = {
            name: Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32)) for name in ("ada", "ben", "max", "eve")
        }

    def names(self, role: Role, at: datetime | None = None) -> tuple[str, ...]:
        return ("ada", "ben", "max") if role == "requester" else ("ada", "ben")

    def sign(self, operator: str, message: bytes) -> bytes:
        return self._keys[operator].sign(message)

    def check(self, operator: str, message: bytes, signature: bytes, at: datetime | None = None) -> bool:
        if operator not in self.names("requester"):
            return False
        try:
            self._keys[operator].public_key().verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Office:
    """A ledger, and what it said happened."""

    def __init__(self, url: str, folder: Path, **policy: Any) -> None:
        self.operators = Operators()
        self.keys = SubjectKeys(folder)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.ledger = Ledger(url, self.keys, Policy(**policy), self.operators, self._hear)

    def _hear(self, kind: str, facts: dict[str, Any]) -> None:
        TypeAdapter(Code).validate_python(kind)  # as the audit log does
        Facts.model_validate(facts)
        self.events.append((kind, facts))

    def submit(
        self, selection: Selection, client: str | None = None, requester: str = "ada", now: datetime = NOW
    ) -> Request:
        """Signed and submitted."""
        facts: Origin = {"channel": "mail", "ground": "17(1)(b)", "requester": requester}
        return self.ledger.submit_all([selection], client=client, sign=self.by(requester), now=now, **facts)[0]

    def by(self, operator: str) -> Callable[[bytes], bytes]:
        """Signs with that operator's key."""
        return partial(self.operators.sign, operator)

    def user(self, name: str, **more: Any) -> Request:
        return self.submit(Selection(users=(name,)), **more)

    def approve(self, request: Request, approver: str = "ben", now: datetime = NOW) -> Request:
        """Signed and approved."""
        return self.ledger.approve(request.id, approver, identity="passport", sign=self.by(approver), now=now)

    def decide(self, request: Request, decision: Decision, approver: str = "ben", now: datetime = NOW) -> Request:
        """Signed and decided."""
        return self.ledger.decide(request.id, decision, approver, sign=self.by(approver), now=now)

    def refuse(self, request: Request) -> Request:
        return self.decide(request, Decision("refused", "not you", "the authority"))

    def plan(self, request: Request, *shards: int) -> Request:
        """Approved, signed and planned."""
        request = self.approve(request)
        plan = {**PLAN, "shards": sorted(set(shards))}
        return self.ledger.plan(request.id, plan, "ada", sign=self.by("ada"), now=NOW)

    def bring(self, request: Request, to: State) -> Request:
        """Along the path to a state, with all it needs."""
        for state in PATH[: PATH.index(to) + 1]:
            if state is State.IDENTIFIED:
                request = self.approve(request)
            elif state is State.PLANNED:
                request = self.ledger.plan(request.id, PLAN, "ada", sign=self.by("ada"), now=NOW)
            elif state is State.CLOSED:
                request = self.ledger.advance(request.id, state, certificate="certificates/1.json")
            elif state is not State.RECEIVED:
                request = self.ledger.advance(request.id, state)
        return request


def dumped(url: str) -> str:
    """Everything in the database's tables, bytes as hexadecimal."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    tables = sa.MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        rows = [row for table in tables.sorted_tables for row in connection.execute(sa.select(table))]
    engine.dispose()
    assert rows
    return "\n".join(value.hex() if isinstance(value, bytes) else str(value) for row in rows for value in row)
