"""What a ledger can be asked, without changing it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from sqlalchemy import Connection

from fedrec.errors import UsageError
from fedrec.vault.chain import Link
from unlearning.requests import chains, persistence
from unlearning.requests.database import Database
from unlearning.requests.request import Brief, Request
from unlearning.requests.schema import IS_OPEN, requests
from unlearning.requests.states import OUT, State


class Reader:
    """The requests in a database. An unknown id is a UsageError in every method; `now` is the clock's if left out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, id: str) -> Request:
        with self._database.reading() as connection:
            return one(connection, id)

    def named(self, beginning: str) -> str | None:
        """The whole id of the one request whose id begins so; None where there is none.

        Raises:
            UsageError: there is more than one.
        """
        with self._database.reading() as connection:
            begins = requests.c.id.startswith(beginning.lower(), autoescape=True)
            found = sorted(persistence.read_ids(connection, begins)) if beginning else []
        if len(found) > 1:
            raise UsageError(f"request {beginning}: {len(found)} begin so, {', '.join(found[:4])}: write more of it")
        return found[0] if found else None

    def list(self, state: State | None = None) -> Sequence[Request]:
        """All, or those in a state, the first due first."""
        conditions = [] if state is None else [requests.c.state == state]
        with self._database.reading() as connection:
            return persistence.read(connection, *conditions)

    def open_requests(self) -> Sequence[Request]:
        """What is not ended, the first due first, so late ones lead."""
        with self._database.reading() as connection:
            return persistence.read(connection, IS_OPEN)

    def status(self) -> tuple[Sequence[Brief], dict[State, int]]:
        """The open requests in brief, the first due first, so late ones lead; and how many are in each state."""
        with self._database.reading() as connection:
            return persistence.read_open(connection), persistence.count_states(connection)

    def counts(self) -> dict[State, int]:
        """How many requests are in each state that has any."""
        with self._database.reading() as connection:
            return persistence.count_states(connection)

    def shards_out(self) -> set[int]:
        """The shards that nobody may serve as they were: of requests that withdrew them and are not closed."""
        return {shard for request in self.open_requests() if request.reached in OUT for shard in request.shards or ()}

    def under_way(self) -> bool:
        """Whether something of any request was withdrawn that is not closed yet, whatever it waits for."""
        return any(request.reached in OUT for request in self.open_requests())

    def chain(self, client: str) -> Sequence[Link]:
        """A client's erasures as it told of them, the first one first."""
        with self._database.reading() as connection:
            return chains.read_links(connection, client)

    def chain_ends(self) -> dict[str, tuple[int, str]]:
        """The number and head of each client's last erasure."""
        with self._database.reading() as connection:
            return chains.read_ends(connection)

    def steps(self, id: str) -> dict[str, dict[str, Any]]:
        """The facts of each step that was done, in order."""
        with self._database.reading() as connection:
            one(connection, id)
            return persistence.read_steps(connection, id)


def one(connection: Connection, id: str) -> Request:
    found = persistence.read(connection, requests.c.id == id)
    return found[0] if found else one_missing(id)


def one_missing(id: str) -> NoReturn:
    raise UsageError(f"request {id}: not in the ledger; name one that is")


def moment(now: datetime | None) -> datetime:
    return datetime.now(UTC) if now is None else now.astimezone(UTC)
