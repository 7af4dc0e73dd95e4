"""What a ledger can be asked, without changing it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select, type_coerce
from sqlalchemy.types import NULLTYPE

from fedrec.errors import FedrecError, UsageError
from fedrec.text import one_line
from fedrec.vault.chain import Link, is_head
from unlearning.requests import persistence
from unlearning.requests.database import Database
from unlearning.requests.persistence import Unreadable
from unlearning.requests.request import Brief, Request
from unlearning.requests.schema import IS_OPEN, links, requests
from unlearning.requests.scope import Kind
from unlearning.requests.states import OUT, State

_BRIEF = [*(requests.c[name] for name in Brief._fields[:-2]), requests.c.scope]
_LINK: list[Any] = [type_coerce(links.c[name], NULLTYPE) for name in ("number", "request", "head", "sealed")]


class Reader:
    """The requests in a database, the first due first. An unknown id is a UsageError in every method.

    A row that cannot be read is in none but `unreadable`; asked for by its id, it is a FedrecError.
    """

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

    def unreadable(self) -> Sequence[Unreadable]:
        """The rows that cannot be read, in whatever state."""
        with self._database.reading() as connection:
            return [each for each in persistence.read_all(connection) if isinstance(each, Unreadable)]

    def status(self) -> tuple[Sequence[Brief], dict[State, int]]:
        """The open requests in brief, as far as that can be read; and how many are in each state that has any."""
        with self._database.reading() as connection:
            briefs = [brief for row in persistence.cells(connection, _BRIEF, IS_OPEN) if (brief := _brief(row))]
            known = select(requests.c.state, func.count()).where(requests.c.state.in_([*State]))
            return briefs, dict(connection.execute(known.group_by(requests.c.state)).all())

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
            rows = connection.execute(chosen)
            return [_link(client, number, request, head, sealed) for number, request, head, sealed in rows]

    def chain_ends(self) -> dict[str, tuple[int, str]]:
        """The number and head of each client's last erasure."""
        with self._database.reading() as connection:
            return chain_ends(connection)


def chain_ends(connection: Connection) -> dict[str, tuple[int, str]]:
    """The number and head of each client's last erasure; FedrecError where a cell of them cannot be read."""
    last = select(links.c.client, func.max(links.c.number).label("number")).group_by(links.c.client).subquery()
    here = (links.c.client == last.c.client) & (links.c.number == last.c.number)
    rows = connection.execute(select(links.c.client, *_LINK).join(last, here))
    found = [(c, _link(c, number, request, head, sealed)) for c, number, request, head, sealed in rows]
    return {client: (link.number, link.head) for client, link in found}


def _link(client: Any, number: Any, request: Any, head: Any, sealed: Any) -> Link:
    """A link from its cells, which somebody may have edited; FedrecError where they are none."""
    texts = all(isinstance(each, str) for each in (client, request, head))
    if not (texts and isinstance(number, int) and number > 0 and isinstance(sealed, bytes) and is_head(head)):
        named = one_line(str(client).encode("ascii", "backslashreplace").decode())
        raise FedrecError(f"client {named}: an erasure of its chain cannot be read; restore the ledger from a backup")
    return Link(number, request, head, sealed)


def one(connection: Connection, id: str) -> Request:
    found = next(persistence.read_all(connection, requests.c.id == id), None)
    if found is None:
        raise UsageError(f"request {id}: not in the ledger; name one that is")
    if isinstance(found, Unreadable):
        raise FedrecError(f"request {found.id}: {found.why}; restore the ledger from a backup")
    return found


def _brief(row: dict[str, Any] | Unreadable) -> Brief | None:
    if isinstance(row, Unreadable):
        return None
    try:
        scope = row.pop("scope")
        return Brief(**row, kind=Kind(scope["kind"]), conditions=tuple(scope["conditions"]))
    except (TypeError, KeyError, ValueError):
        return None


def moment(now: datetime | None) -> datetime:
    """None: now."""
    return datetime.now(UTC) if now is None else now.astimezone(UTC)
