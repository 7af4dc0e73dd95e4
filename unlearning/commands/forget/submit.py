"""`fedrec forget submit`: a request comes in, or a file of many, of which all are taken or none."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedrec.errors import UsageError
from unlearning.commands.forget.arguments import Opened, Operator, over_workflow

if TYPE_CHECKING:
    from fedrec.data.selection import Selection
    from unlearning.executor import HeldModel
    from unlearning.workflow.workflow import Workflow

_SHOWN = 50  # bad lines that are told one by one


@over_workflow
def submit(
    given: Opened,
    user: Annotated[str | None, typer.Option(help="Whom to forget.")] = None,
    client: Annotated[str | None, typer.Option(help="Only at this client; alone, all of it.")] = None,
    item: Annotated[list[str] | None, typer.Option(help="Only rows of these items.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Only rows from this day on, 2026-01-31.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Only rows up to this day, included.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="A file of user ids, one a line: a request for each, or, if one is wrong, none.")
    ] = None,
    received: Annotated[
        str | None, typer.Option(metavar="DATE", help="The day it reached you, 2026-01-31. None: today.")
    ] = None,
    channel: Annotated[str, typer.Option(help="How it came in.")] = "command-line",
    ground: Annotated[str, typer.Option(help="Legal ground.")] = "17(1)(b)",
    by: Operator = None,
) -> None:
    """Hand in a request. The same request again gives the one that is open."""
    if file is not None and user is not None:
        raise UsageError("--user and --file: give one of them")
    came = _received(received)
    workflow, model = given.workflow, given.host.model
    if by is not None:
        workflow.operators.operator(by)
    part = part_of(workflow, client, item or (), since, until)
    users: list[tuple[str, ...]] = [()]
    if file is not None:
        users = [(each,) for each in _users_in(file, model, client)]
    elif user is not None:
        users = [(Known(model, client).user("--user", user),)]
    selections = [of_users(part, who) for who in users]
    requester = given.acting(by, "requester")
    found = workflow.submit_all(
        selections, client=client, channel=channel, ground=ground, requester=requester, received=came
    )
    for request in found:
        given.say(f"{request.id}  {request.state.value}, to be answered by {request.due_at}")
    for request, selection in zip(found, selections, strict=True):
        if not selection.everything and not model.holds(selection, client):
            given.say(f"{request.id}  no record of it is found now; the request is taken all the same")
    told = [request.public() for request in found]
    given.write(told[0] if file is None else {"requests": told})


def part_of(
    workflow: Workflow, client: str | None, items: Collection[str], since: str | None, until: str | None
) -> Selection:
    """The rows of these items and days, whoever's; of a client that is named alone, everything.

    Raises:
        UsageError: a client or an item is not there, or the days are none.
    """
    from fedrec.data.selection import Selection

    first, last = _day(since, "--from"), _day(until, "--to", 86_399)
    if first is not None and last is not None and first > last:
        raise UsageError(f"--from {since} is after --to {until}: exchange them")
    if client is not None and client not in workflow.model.clients:
        raise UsageError(f"--client {client}: no such client; the run has {', '.join(workflow.model.clients)}")
    whole = client is not None and not (items or since or until)
    return Selection(items=_items(workflow, items), since=first, until=last, everything=whole)


def of_users(part: Selection, users: tuple[str, ...]) -> Selection:
    """What `part_of` gave, of these users alone where any are named."""
    return part.model_copy(update={"users": users, "everything": part.everything and not users})


def _items(workflow: Workflow, given: Collection[str]) -> tuple[str, ...]:
    from fedrec.data.ids import named

    known, titles = workflow.model.catalogue.ids, workflow.model.catalogue.titles
    items = [named("--item", item, known) for item in given]
    if unknown := sorted(set(items) - set(known)):
        if titled := [id for id, title in zip(known, titles, strict=True) if title == unknown[0]]:
            raise UsageError(f"--item {unknown[0]}: that is the title of {titled[0]}: give --item {titled[0]}")
        raise UsageError(f"--item {unknown[0]}: not in the catalogue of {workflow.model.folder}")
    return tuple(items)


@dataclass(frozen=True)
class Known:
    """Who may be named: at one client, or (None) at all."""

    model: HeldModel
    client: str | None

    @cached_property
    def holders(self) -> Mapping[str, Collection[str]] | None:
        """The clients of each user; None where nobody here can tell."""
        return self.model.clients_of()

    @cached_property
    def changed(self) -> Mapping[str, Collection[int]]:
        """Shards by client that may have learned from somebody who is in the data no longer."""
        changed = self.model.changed_shards()
        return {name: shards for name, shards in changed.items() if self.client in (None, name)}

    def user(self, called: str, given: str) -> str:
        """A user in the data's own spelling, who is there, or whom the model may have learned from; as they were given
        where the clients alone know.

        Args:
            called: by what a message calls them.

        Raises:
            UsageError: they are neither, which is most likely a slip.
        """
        from fedrec.console.progress import say
        from fedrec.data.ids import named, resembling, told_apart
        from unlearning.workflow.planning import changes

        if self.holders is None:
            return named(called, given, ())
        user = named(called, given, self.holders)
        at = self.holders.get(user, ())
        if (self.client in at) if self.client else at:
            return user
        if self.changed:
            say(f"{called} {user}: not in the data, but {changes(self.changed)}, and will be trained again")
            return user
        if at:
            raise UsageError(f"{called} {user}: client {self.client} has nothing of it; {', '.join(at)} has")
        other = resembling(user, self.holders)
        like = f"; {told_apart('id', user, other)}, which is there" if other else ""
        raise UsageError(f"{called} {user}: not in the data of {self.model.folder} (or already forgotten){like}")


def _users_in(path: Path, model: HeldModel, client: str | None) -> list[str]:
    """The users in a file; one UsageError names every line that is wrong."""
    known, users, faults = Known(model, client), [], []
    for number, line in _lines(path):
        try:
            users.append(known.user(f"line {number}", line))
        except UsageError as error:
            faults.append(str(error))
    if faults:
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise UsageError(f"--file {path}: {'; '.join(faults[:_SHOWN])}{more}; nothing was submitted: mend the file")
    return users


def _lines(path: Path) -> list[tuple[int, str]]:
    """The lines that are not blank, with their numbers."""
    from fedrec.text import utf8

    try:
        text = utf8(sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--file {path}: cannot be read as UTF-8 or UTF-16 ({error})") from None
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise UsageError(f"--file {path}: no user ids in it")
    return lines


def _received(text: str | None) -> datetime | None:
    seconds = _day(text, "--received")
    day = None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    if day is not None and day > datetime.now(UTC):
        raise UsageError(f"--received {text}: that day has not come; give the day on which it reached you")
    return day


def _day(text: str | None, option: str, seconds: int = 0) -> int | None:
    if text is None:
        return None
    from fedrec.options import first_second

    return first_second(option, text) + seconds
