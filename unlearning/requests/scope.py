"""What a request covers, as far as anybody may read it; the whole of it is sealed in the request (see `subjects`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fedrec.data.selection import Selection
from fedrec.errors import UsageError
from unlearning.audit.canonical import canonical
from unlearning.audit.fields import Condition


class Kind(StrEnum):
    """Who or what is to be forgotten."""

    USER = "user"
    CLIENT = "client"
    ITEM = "item"
    DATES = "dates"


@dataclass(frozen=True, slots=True)
class Scope:
    """The public side of a request.

    Attributes:
        client: the client concerned; None = all.
        items, since, until: as in `Selection`, for requests that concern no one person; a person's own are sealed.
        conditions: every condition that the rows meet, in a certificate's words; for a person without their values.
    """

    kind: Kind
    client: str | None = None
    items: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    conditions: tuple[Condition, ...] = ()


def scope_of(selection: Selection, client: str | None) -> Scope:
    """
    Raises:
        UsageError: it names nothing, everything there is at all clients, or several people: a request is of one person.
    """
    selection.check_conditions()
    users = _users(selection)
    if len(users) > 1:
        raise UsageError(f"one request names {len(users)} users: submit one for each")
    conditions = _conditions(selection, client)
    if users:
        return Scope(Kind.USER, client, conditions=conditions)
    if selection.everything:
        if client is None:
            raise UsageError("everything at every client is named: name one client, or delete the run")
        return Scope(Kind.CLIENT, client, conditions=conditions)
    kind, items = Kind.ITEM if selection.items else Kind.DATES, tuple(sorted(set(selection.items)))
    return Scope(kind, client, items, selection.since, selection.until, conditions)


def _conditions(selection: Selection, client: str | None) -> tuple[Condition, ...]:
    met: dict[Condition, object] = {
        "person": _users(selection),
        "items": selection.items,
        "rows": selection.rows,
        "dates": selection.dated,
        "client": client is not None,
    }
    return tuple(condition for condition, there in met.items() if there)


def subject_of(selection: Selection, client: str | None) -> str:
    """Whom or what it is about, as `SubjectKeys.pseudonym` takes it: `user:42`, whatever else the request says."""
    scope = scope_of(selection, client)
    if scope.kind is Kind.USER:
        return f"user:{_users(selection).pop()}"
    if scope.kind is Kind.CLIENT:
        return f"client:{client}"
    return f"{scope.kind}:{canonical([scope.items, scope.since, scope.until]).decode()}"


def described(selection: Selection, client: str | None) -> dict[str, Any]:
    """The whole scope as plain data, the same however it was spelled."""
    lists = {name: sorted(set(getattr(selection, name))) for name in ("users", "items", "rows")}
    bounds = {"since": selection.since, "until": selection.until}
    return {**lists, **bounds, "everything": selection.everything, "client": client}


def _users(selection: Selection) -> set[str]:
    return {*selection.users, *(row.rsplit("\t", 2)[0] for row in selection.rows)}
