"""`fedrec forget`: erasure requests of a run, from the submission to the certificate."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedrec.errors import FedrecError, Interrupted, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from fedrec.data.selection import Selection
    from server.forget.carrying_out import Carrier
    from server.forget.office import Office

app = typer.Typer(add_completion=False, no_args_is_help=True, help='"Delete me": from the request to the certificate.')

RunOption = Annotated[Path | None, typer.Option("--run", help="The run. None: the newest under runs/.")]
Database = Annotated[
    str | None,
    typer.Option(help="URL of the ledger, postgresql+psycopg://…; none = SQLite in the run.", envvar="FEDREC_LEDGER"),
]
Json = Annotated[str | None, typer.Option(help="Write the result here as JSON; - is standard output.")]
Operator = Annotated[str | None, typer.Option(help="Who does it. None: the first operator in force.")]


@app.command()
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

    office, console = _office(run, database, json)
    requester = _operator(office, by, "requester", console)
    days = {"since": _day(since, "--from"), "until": _day(until, "--to", 86_399)}
    users = [(user,)] if user is not None else [()]
    if file is not None:
        if user is not None:
            raise UsageError("--user and --file: give one of them")
        users = [(line,) for line in _lines(file)]
    found = []
    for who in users:
        selection = Selection(users=who, items=tuple(item or ()), **days)
        _check(office, selection, client)
        request = office.submit(selection, client=client, channel=channel, ground=ground, requester=requester)
        console.print(f"{request.id}  {request.state.value}, to be answered by {request.due_at}")
        found.append(request.public())
    write_result(found[0] if file is None else {"requests": found}, json)


@app.command()
def approve(
    id: Annotated[str | None, typer.Argument(help="The request; none = all that wait.")] = None,
    identity: Annotated[str, typer.Option(help="How the person was identified.")] = "known-account",
    by: Operator = None,
    run: RunOption = None,
    database: Database = None,
    json: Json = None,
) -> None:
    """ID: approve a request, once the person is identified; without ID, every one that waits."""
    from fedrec.output import write_result
    from unlearning.requests.states import State

    office, console = _office(run, database, json)
    approver = _operator(office, by, "approver", console)
    ids = [id] if id is not None else [request.id for request in office.ledger.list(State.RECEIVED)]
    approved = [office.approve(each, approver, identity) for each in ids]
    for request in approved:
        alone = "" if request.four_eyes else " by the one operator there is"
        console.print(f"{request.id}  {request.state.value}, approved{alone}", soft_wrap=True)
    if not approved:
        console.print("no request waits for approval")
    write_result(approved[0].public() if id else {"requests": [request.public() for request in approved]}, json)


@app.command()
def refuse(
    id: Annotated[str, typer.Argument(help="The request.")],
    reason: Annotated[str, typer.Option(help="Why; the person is told.")],
    complaint: Annotated[str, typer.Option(help="Where the person can complain.")],
    run: RunOption = None,
    database: Database = None,
) -> None:
    """ID: refuse a request, with the reason and the route for a complaint."""
    office, console = _office(run, database, None)
    console.print(f"{office.ledger.refuse(id, reason, complaint).id}  refused")


@app.command()
def hold(
    id: Annotated[str, typer.Argument(help="The request.")],
    reason: Annotated[str, typer.Option(help="Why, for example a legal duty to keep the data.")],
    run: RunOption = None,
    database: Database = None,
) -> None:
    """ID: stop a request where it is; `release` lets it go on."""
    office, console = _office(run, database, None)
    console.print(f"{office.ledger.hold(id, reason).id}  held")


@app.command()
def release(
    id: Annotated[str, typer.Argument(help="The request.")], run: RunOption = None, database: Database = None
) -> None:
    """ID: let a held or failed request go on."""
    office, console = _office(run, database, None)
    console.print(f"{id}  {office.ledger.release(id).state.value}")


@app.command()
def extend(
    id: Annotated[str, typer.Argument(help="The request.")],
    reason: Annotated[str, typer.Option(help="Why more time is needed; the person is told.")],
    run: RunOption = None,
    database: Database = None,
) -> None:
    """ID: two more months to answer, once."""
    office, console = _office(run, database, None)
    console.print(f"{id}  to be answered by {office.ledger.extend(id, reason).due_at}")


@app.command()
def plan(
    id: Annotated[str, typer.Argument(help="The request.")],
    run: RunOption = None,
    database: Database = None,
    json: Json = None,
) -> None:
    """ID: what a request touches and costs. Nothing is changed."""
    from fedrec.output import write_result
    from fedrec.summary import duration
    from server.forget.planning import impact

    office, console = _office(run, database, json)
    request = office.ledger.get(id)
    with _carrier(office, console, None) as carrier:
        found = impact(carrier.erasure, office.ledger.selection(id), request.scope.client, office.rules)
    shards = ", ".join(map(str, found["shards"])) or "none"
    held = ", ".join(f"{client} ({rows} rows)" for client, rows in found["clients"].items()) or "nobody"
    console.print(
        f"held by    {held}",
        f"shards     {shards} of {found['of_shards']}; {found['rounds']} rounds again at all clients",
        f"takes      about {duration(found['estimated_seconds'])}; withdrawn at once",
        f"claim      retrained without ({found['why']})",
        f"remains    {'; '.join([*found['exceptions'], *found['elsewhere']])}",
        sep="\n", markup=False, soft_wrap=True,
    )  # fmt: skip
    write_result(found, json)


@app.command()
def run(run: RunOption = None, by: Operator = None, database: Database = None, json: Json = None) -> None:
    """Carry out every approved request. Killed at any moment, the same command goes on."""
    from fedrec.output import write_result

    office, console = _office(run, database, json)
    with _carrier(office, console, by) as carrier:
        try:
            outcomes = carrier.run()
        except KeyboardInterrupt:
            raise Interrupted("stopped; `fedrec forget run` goes on") from None
    for outcome in outcomes:
        console.print(
            f"{outcome['id']}  {outcome['state']}  {outcome['certificate'] or ''}", markup=False, soft_wrap=True
        )
    if not outcomes:
        console.print("nothing to do: no approved request is open")
    write_result({"requests": outcomes}, json)
    if any(outcome["state"] == "failed" for outcome in outcomes):
        raise FedrecError("a verification failed; the shards stay withdrawn: see `fedrec forget status`")


@app.command()
def status(run: RunOption = None, database: Database = None, json: Json = None) -> None:
    """Open requests, late ones first, and how many there are in each state."""
    from fedrec.output import write_result

    office, console = _office(run, database, json)
    waiting, counts = office.ledger.status()
    today = datetime.now(UTC).date()
    for brief in waiting:
        late = "  LATE" if brief.due_at < today else ""
        console.print(_line(brief.id, brief.state, brief.kind, brief.due_at) + late, markup=False, soft_wrap=True)
    console.print(", ".join(f"{count} {state}" for state, count in counts.items() if count) or "no requests")
    told = [
        {**brief._asdict(), "due_at": str(brief.due_at), "received_at": str(brief.received_at)} for brief in waiting
    ]
    write_result({"open": told, "counts": {str(state): count for state, count in counts.items()}}, json)


@app.command(name="list")
def list_(run: RunOption = None, database: Database = None, json: Json = None) -> None:
    """All requests."""
    from fedrec.output import write_result

    office, console = _office(run, database, json)
    found = office.ledger.list()
    for request in found:
        line = _line(request.id, request.state, request.scope.kind, request.due_at)
        console.print(line, markup=False, soft_wrap=True)
    write_result({"requests": [request.public() for request in found]}, json)


@app.command()
def verify(
    certificate: Annotated[Path, typer.Argument(help="The certificate's file.")],
    bundle: Annotated[Path | None, typer.Option(help="The folder of its evidence.")] = None,
    key: Annotated[list[Path] | None, typer.Option(help="Public keys (PEM) that are trusted.")] = None,
    previous: Annotated[Path | None, typer.Option(help="The certificate before it.")] = None,
    json: Json = None,
) -> None:
    """CERTIFICATE: check it offline; no run is needed. Fails on any altered byte."""
    from rich.console import Console

    from fedrec.output import write_result
    from unlearning.certificates.verify import verify_certificate
    from unlearning.keys import key_id

    console = Console(stderr=json == "-", highlight=False)
    trusted = None
    if key:
        trusted = {key_id(public): public for public in map(_public, key)}
    verdict = verify_certificate(certificate, bundle=bundle, trusted=trusted, previous=previous)
    for check in verdict.checks:
        console.print(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.why}", markup=False, soft_wrap=True)
    for unchecked in verdict.unchecked:
        console.print(f"not checked: {unchecked}", style="dim", markup=False, soft_wrap=True)
    write_result({"ok": verdict.ok, "checks": [check._asdict() for check in verdict.checks]}, json)
    if not verdict.ok:
        raise FedrecError(f"{certificate}: verification failed")


@app.command()
def certificate(
    id: Annotated[str, typer.Argument(help="The request.")], run: RunOption = None, database: Database = None
) -> None:
    """ID: where the certificate, its evidence, the page and the reply to the person are."""
    office, console = _office(run, database, None)
    path = office.certificates / f"{id}.json"
    if not path.exists():
        raise UsageError(f"request {id}: no certificate; it is {office.ledger.get(id).state.value}")
    documents = office.folder / "documents"
    for name, where in (("certificate", path), ("evidence", office.bundle(id)),
                        ("page", documents / f"{id}.html"), ("reply", documents / f"{id}.txt")):  # fmt: skip
        console.print(f"{name:<12}{where}", markup=False, soft_wrap=True)


@app.command()
def keys(
    create: Annotated[str | None, typer.Option(help="Make an operator of this name.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="requester, approver, signer; none = all.")] = None,
    revoke: Annotated[str | None, typer.Option(help="Take an operator's keys out of force.")] = None,
    export: Annotated[str | None, typer.Option(help="Print an operator's public key.")] = None,
    run: RunOption = None,
) -> None:
    """The operators of a run and their keys."""
    from unlearning.keys import ROLES

    office, console = _office(run, None, None)
    operators = office.operators
    if create is not None:
        operators.create(create, role or ROLES)  # type: ignore[arg-type]
    if revoke is not None:
        operators.revoke(revoke)
    if export is not None:
        console.print(operators.export(export), end="", markup=False)
        return
    for operator in operators.operators():
        state = "in force" if operator.revoked_at is None else "revoked"
        console.print(f"{operator.name}  {operator.key_id}  {', '.join(operator.roles)}  {state}", markup=False)


def _office(run: Path | None, database: str | None, json: str | None) -> tuple[Office, Console]:
    from rich.console import Console

    from fedrec.store import open_run
    from server.forget.office import Office

    return Office(open_run(run), database), Console(stderr=json == "-", highlight=False)


def _operator(office: Office, name: str | None, role: str, console: Console) -> str:
    """The operator who acts; a run that has none gets one, and says so."""
    if name is not None:
        return name
    first, made = office.operators.ensure_one()
    if made:
        console.print(
            f"made an operator '{first}' with all roles in {office.operators.folder}; `fedrec forget keys` makes more"
        )
        return first
    able = office.operators.names(role)  # type: ignore[arg-type]
    if not able:
        raise UsageError(f"no operator in force is a {role}: `fedrec forget keys --create NAME --role {role}`")
    return able[0]


@contextmanager
def _carrier(office: Office, console: Console, signer: str | None) -> Iterator[Carrier]:
    """What carries requests out, over the run's clients in this process."""
    from clients.app import app as client_app
    from server.erasure import FederatedErasure
    from server.forget.carrying_out import Carrier
    from server.grid import LocalGrid

    grid = LocalGrid(client_app, len(office.run.clients))
    erasure = FederatedErasure(office.run, grid)
    name = _operator(office, signer, "signer", console)
    yield Carrier(office, erasure, name, lambda text: console.print(text, markup=False, soft_wrap=True))


def _check(office: Office, selection: Selection, client: str | None) -> None:
    """A request that names nobody who is there is most likely a slip."""
    if client is not None and client not in office.run.clients:
        raise UsageError(f"--client {client}: no such client; the run has {', '.join(office.run.clients)}")
    for user in selection.users:
        if user not in office.run.client_of():
            raise UsageError(f"--user {user}: not in the data of {office.run.folder} (or already forgotten)")
    if unknown := sorted(set(selection.items) - set(office.run.catalogue.ids)):
        raise UsageError(f"--item {unknown[0]}: not in the catalogue of {office.run.folder}")


def _public(path: Path) -> bytes:
    from unlearning.keys import read_public

    try:
        return read_public(path.read_bytes())
    except (OSError, ValueError):
        raise UsageError(
            f"--key {path}: no Ed25519 public key in PEM; `fedrec forget keys --export` gives one"
        ) from None


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


def _line(id: str, state: str, kind: str, due: date) -> str:
    return f"{id}  {state:<12}{kind:<8}due {due}"
