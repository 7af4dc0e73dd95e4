"""`fedrec forget submit`: a request comes in."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedrec.errors import UsageError
from fedrec.options import Json
from server.forget.options import Database, Operator, RunOption, acting, open_office

if TYPE_CHECKING:
    from fedrec.data.selection import Selection
    from server.forget.office import Office


def submit(
    user: Annotated[str | None, typer.Option(help="Whom to forget.")] = None,
    client: Annotated[str | None, typer.Option(help="Only at this client; alone, all of it.")] = None,
    item: Annotated[list[str] | None, typer.Option(help="Only rows of these items.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Only rows from this day on, 2026-01-31.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Only rows up to this day, included.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file of user ids, one a line: a request for each.")] = None,
    channel: Annotated[str, typer.Option(help="How it came in.")] = "command-line",
    ground: Annotated[str, typer.Option(help="Legal ground.")] = "17(1)(b)",
    by: Operator = None,
    run: RunOption = None,
    database: Database = None,
    json: Json = None,
) -> None:
    """Hand in a request. The same request again gives the one that is open."""
    from fedrec.data.selection import Selection
    from fedrec.output import write_result

    office, console = open_office(run, database, json)
    requester = acting(office, by, "requester", console)
    days = {"since": _day(since, "--from"), "until": _day(until, "--to", 86_399)}
    users = [(user,)] if user is not None else [()]
    if file is not None:
        if user is not None:
            raise UsageError("--user and --file: give one of them")
        users = [(line,) for line in _lines(file)]
    found, held = [], office.run.clients_of()
    for who in users:
        selection = Selection(users=who, items=tuple(item or ()), **days)
        _check(office, selection, client, held)
        request = office.submit(selection, client=client, channel=channel, ground=ground, requester=requester)
        console.print(f"{request.id}  {request.state.value}, to be answered by {request.due_at}")
        found.append(request.public())
    write_result(found[0] if file is None else {"requests": found}, json)


def _check(office: Office, selection: Selection, client: str | None, held: Mapping[str, Collection[str]]) -> None:
    """A request that names nobody who is there is most likely a slip.

    Args:
        held: the clients of each user.
    """
    if client is not None and client not in office.run.clients:
        raise UsageError(f"--client {client}: no such client; the run has {', '.join(office.run.clients)}")
    for user in selection.users:
        if user not in held:
            raise UsageError(f"--user {user}: not in the data of {office.run.folder} (or already forgotten)")
        if client is not None and client not in held[user]:
            raise UsageError(f"--client {client}: it has nothing of user {user}; {', '.join(held[user])} has")
    if unknown := sorted(set(selection.items) - set(office.run.catalogue.ids)):
        raise UsageError(f"--item {unknown[0]}: not in the catalogue of {office.run.folder}")


def _day(text: str | None, option: str, seconds: int = 0) -> int | None:
    if text is None:
        return None
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) + seconds
    except ValueError:
        raise UsageError(f"{option} {text}: write a day as 2026-01-31") from None


def _lines(path: Path) -> list[str]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--file {path}: cannot be read ({error})") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise UsageError(f"--file {path}: no user ids in it")
    return lines
