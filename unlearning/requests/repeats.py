"""Whether the same is asked already by an open request. What each asks is sealed, so it is opened to be compared.

Nothing that could be compared later is kept: a keyed hash in the ledger would tell, with its key and an old copy of the
ledger, who asked. In this process a hash under a key of its own saves opening a request twice.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from pydantic import ValidationError
from sqlalchemy import Connection

from fedrec.data.selection import Selection
from fedrec.errors import FedrecError
from unlearning.audit.canonical import canonical
from unlearning.requests import persistence
from unlearning.requests.schema import IS_OPEN
from unlearning.requests.scope import described
from unlearning.requests.subjects import SubjectKeys


class Repeats:
    """The open requests by what they ask."""

    def __init__(self, keys: SubjectKeys) -> None:
        self._keys, self._secret = keys, secrets.token_bytes(32)
        self._asks: dict[str, bytes] = {}

    def open_now(self, connection: Connection) -> dict[bytes, str]:
        """The ids of the open requests, by the mark of what each asks."""
        there = set(persistence.read_ids(connection, IS_OPEN))
        for ended in self._asks.keys() - there:
            del self._asks[ended]
        for id, sealed, client in persistence.read_sealed(connection, sorted(there - self._asks.keys())):
            self._asks[id] = self._opened(id, sealed, client)
        return {mark: id for id, mark in self._asks.items() if mark}

    def mark(self, selection: Selection, client: str | None) -> bytes:
        """The same for the same selection at the same client."""
        return hmac.digest(self._secret, canonical(described(selection, client)), hashlib.sha256)

    def _opened(self, id: str, sealed: bytes, client: str | None) -> bytes:
        """Empty where the key is not here, or opens what no fedrec reads: nobody can say then what it asks."""
        try:
            return self.mark(Selection.model_validate_json(self._keys.open(id, sealed)), client)
        except (FedrecError, ValidationError):
            return b""
