"""What a ledger can be asked, without changing it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select

from fedrec.errors import UsageError
from fedrec.vault.chain import Link
from unlearning.requests import persistence
from unlearning.requests.database import Database
from unlearning.requests.request import Brief, Request
from unlearning.requests.schema import IS_OPEN, links, requests
from unlearning.requests.scope import Kind
from unlearning.requests.states import OUT, State

_BRIEF = [
    *(requests.c[name] for name in Brief._fields[:-2]),
    requests.c.scope["kind"].as_string(),
    requests.c.scope["conditions"],
]
_LINK = (links.c.number, links.c.request, links.c.head, links.c.sealed)


class Reader:
    """The requests in a database, the first due first. An unknown id is a UsageError in every method."""

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
            found = persistence.read_ids(connection, begins) if beginning else []
        if len(found) > 1:
            raise UsageError(f"request {beginning}: {len(found)} begin so, {', '.join(found[:4])}: write more of it")
        return found[0] if found else None

    def list(self, state: State | None = None) -> Sequence[Request]:
        """All, or those in a state."""
        conditions = [] if state is None else [requests.c.state == state]
        with self._database.reading() as connection:
            return persistence.read(connection, *conditions)

    def open_requests(self) -> Sequence[Request]:
        """What is not ended."""
        with self._database.reading() as connection:
            return persistence.read(connection, IS_OPEN)

    def status(self) -> tuple[Sequence[Brief], dict[State, int]]:
        """The open requests in brief; and how many are in each state that has any."""
        with self._database.reading() as connection:
            found = connection.execute(select(*_BRIEF).where(IS_OPEN).order_by(*persistence.ORDER))
            briefs = [Brief._make([*row[:-2], Kind(row[-2]), tuple(row[-1])]) for row in found]
            counts = connection.execute(select(requests.c.state, func.count()).group_by(requests.c.state))
            return briefs, dict(counts.all())

    def shards_out(self) -> set[int]:
        """The shards that nobody may serve as they were: of requests that withdrew them and are not closed."""
        return {shard for request in self.open_requests() if request.reached in OUT for shard in request.shards or ()}

    def under_way(self) -> bool:
        """Whether something of any request was withdrawn that is not closed yet, whatever it waits for."""
        return any(request.reached in OUT for request in self.open_requests())

    def chain(self, client: str) -> Sequence[Link]:
        """A client's erasures as it told of them (`fedrec.vault.chain`), the first one first; tombstones sealed."""
        chosen = select(*_LINK).where(links.c.client == client).order_by(links.c.number)
        with self._database.reading() as connection:
            return [Link(*row) for row in connection.execute(chosen)]

    def chain_ends(self) -> dict[str, tuple[int, str]]:
        """The number and head of each client's last erasure."""
        last = select(links.c.client, func.max(links.c.number).label("number")).group_by(links.c.client).subquery()
        here = (links.c.client == last.c.client) & (links.c.number == last.c.number)
        with self._database.reading() as connection:
            found = connection.execute(select(links.c.client, links.c.number, links.c.head).join(last, here))
            return {client: (number, head) for client, number, head in found}


def one(connection: Connection, id: str) -> Request:
    found = persistence.read(connection, requests.c.id == id)
    if not found:
        raise UsageError(f"request {id}: not in the ledger; name one that is")
    return found[0]


def moment(now: datetime | None) -> datetime:
    """None: now."""
    return datetime.now(UTC) if now is None else now.astimezone(UTC)
