"""What the ledger remembers of each client's chain of erasures (`fedrec.vault.chain`), tombstones sealed."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, func, insert, select

from fedrec.vault.chain import Link
from unlearning.requests.schema import links

_LINK = (links.c.number, links.c.request, links.c.head, links.c.sealed)


def read_links(connection: Connection, client: str) -> list[Link]:
    """A client's chain, the first erasure first."""
    found = connection.execute(select(*_LINK).where(links.c.client == client).order_by(links.c.number))
    return [Link(*row) for row in found]


def read_ends(connection: Connection) -> dict[str, tuple[int, str]]:
    """The number and head of each client's last erasure, where it had any."""
    last = select(links.c.client, func.max(links.c.number).label("number")).group_by(links.c.client).subquery()
    here = (links.c.client == last.c.client) & (links.c.number == last.c.number)
    found = connection.execute(select(links.c.client, links.c.number, links.c.head).join(last, here))
    return {client: (number, head) for client, number, head in found}


def add_links(connection: Connection, client: str, new: Iterable[Link]) -> None:
    """Remember what follows a client's last link; what is known already changes nothing."""
    known, _ = read_ends(connection).get(client, (0, ""))
    rows = [{"client": client, **vars(link)} for link in new if link.number > known]
    if rows:
        connection.execute(insert(links), rows)
