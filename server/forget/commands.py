"""`fedrec forget`: erasure requests of a run, from the submission to the certificate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from fedrec.errors import FedrecError, Interrupted, UsageError
from fedrec.options import Json, Workers
from server.forget.audit_commands import audit
from server.forget.checking import certificate, keys, verify
from server.forget.decisions import approve, cancel, extend, hold, refuse, release
from server.forget.listing import list_, show, status, warn
from server.forget.options import Database, Operator, RequestId, RunOption, acting, choose_keys, open_office
from server.forget.submission import submit

if TYPE_CHECKING:
    from server.forget.office import Office
    from unlearning.executor import Executor

app = typer.Typer(add_completion=False, no_args_is_help=True, help='"Delete me": from the request to the certificate.')

app.callback()(choose_keys)
app.command()(submit)
app.command()(approve)
app.command()(refuse)
app.command()(hold)
app.command()(release)
app.command()(extend)
app.command()(cancel)


@app.command()
def plan(id: RequestId, run: RunOption = None, database: Database = None, json: Json = None) -> None:
    """ID: what a request touches and costs. Nothing is changed."""
    from fedrec.output import write_result
    from fedrec.reporting.formatting import duration
    from server.forget.planning import impact

    office, console = open_office(run, database, json)
    request = office.ledger.get(office.ledger.named(id))
    with _erasure(office) as erasure:
        erasure.check_current()
        located = erasure.locate(office.ledger.selection(request.id), request.scope.client)
        found = impact(erasure, located, office.rules)
    shards = ", ".join(map(str, found["shards"])) or "none"
    held = ", ".join(f"{client} ({rows} rows)" for client, rows in located.rows.items()) or "nobody"
    again = f"{shards} of {found['of_shards']}; {found['rounds']} rounds again at all clients"
    console.print(
        f"held by    {held}",
        f"shards     {again if found['shards'] else 'none learned from it'}",
        f"takes      about {duration(found['estimated_seconds'])}; withdrawn at once",
        f"claim      {found['claim']} ({found['why']})",
        f"baselines  {', '.join(found['baselines_removed']) or 'none'} to be removed",
        f"remains    {'; '.join([*found['exceptions'], *found['elsewhere']])}",
        sep="\n", markup=False, soft_wrap=True,
    )  # fmt: skip
    write_result({**found, "clients": located.rows}, json)


@app.command()
def run(
    rederive: Annotated[
        bool, typer.Option("--rederive", help="Train the shards twice, and publish only what came out equal.")
    ] = False,
    run: RunOption = None,
    by: Operator = None,
    workers: Workers = "auto",
    database: Database = None,
    json: Json = None,
) -> None:
    """Carry out every approved request. Killed at any moment, the same command goes on."""
    from fedrec.lock import only_writer
    from fedrec.output import write_result
    from fedrec.workers import get_ready, parse_workers
    from server.forget.carrying_out import Carrier
    from server.simulation import write_result_and_page

    side_by_side = parse_workers(workers)
    get_ready(side_by_side, "server.grid", "clients.app")
    office, console = open_office(run, database, json)
    signer = acting(office, by, "signer", console)
    if signer not in office.operators.names("signer"):
        raise UsageError(f"--by {signer}: no signer in force; `fedrec forget keys` shows who is, and makes one")
    try:
        say = partial(console.print, markup=False, soft_wrap=True)
        with only_writer(office.run.folder), _erasure(office, side_by_side) as erasure:
            outcomes = Carrier(office, erasure, signer, say, rederive).run()
            write_result_and_page(office.run, database)
    except KeyboardInterrupt:
        raise Interrupted("stopped; `fedrec forget run` goes on") from None
    for outcome in outcomes:
        console.print(
            f"{outcome['id']}  {outcome['state']}  {outcome['certificate'] or ''}", markup=False, soft_wrap=True
        )
    if not outcomes:
        console.print("nothing to do: no approved request is open")
    warn(office, console, office.ledger.open_requests())
    write_result({"requests": outcomes}, json)
    if failed := sum(outcome["state"] == "failed" for outcome in outcomes):
        raise FedrecError(f"{failed} of {len(outcomes)} requests failed: `fedrec forget status` says why")


app.command()(status)
app.command(name="list")(list_)
app.command()(show)
app.command()(audit)
app.command()(verify)
app.command()(certificate)
app.command()(keys)


@contextmanager
def _erasure(office: Office, workers: str | int = 0) -> Iterator[Executor]:
    """The means of forgetting, over the run's clients on this machine."""
    from fedrec.workers import processes_for
    from server.erasure import FederatedErasure
    from server.simulation import clients_here

    run = office.run
    with clients_here(run, processes_for(workers, run.config.train, len(run.clients))) as grid:
        yield FederatedErasure(run, grid, office.ledger)
