"""`fedrec forget`: erasure requests of a run, from the submission to the certificate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from fedrec.errors import FedrecError, UsageError, command
from fedrec.options import Json, Workers
from unlearning.commands.forget.arguments import (
    Database,
    Operator,
    RequestId,
    RunOption,
    Session,
    acting,
    choose_keys,
    open_host,
    session,
    tell_sender,
)
from unlearning.commands.forget.audit import audit
from unlearning.commands.forget.certificate import certificate, keys, verify
from unlearning.commands.forget.decide import approve, cancel, extend, hold, refuse, release
from unlearning.commands.forget.listing import list_, show, status, warn
from unlearning.commands.forget.submit import submit


def plan(id: RequestId, run: RunOption = None, database: Database = None, json: Json = None) -> None:
    """ID: what a request touches and costs. Nothing is changed, but a client that is behind is put right first."""
    from fedrec.console.json_output import write_result
    from fedrec.console.progress import working
    from fedrec.lock import only_writer
    from fedrec.reporting.formatting import duration
    from unlearning.workflow.findings import refuse_altered
    from unlearning.workflow.planning import changes, impact

    host, workflow, console = open_host(run, database, json)
    request = workflow.ledger.get(workflow.named(id))
    with working("asking the clients what they hold of it"), host.executor(workflow.ledger) as executor:
        try:
            executor.check_current()
        except FedrecError:  # a client is behind, or answers nothing, which is told below
            with only_writer(workflow.model.folder):
                refuse_altered(workflow)
                executor.catch_up(partial(console.print, markup=False, soft_wrap=True))
        located = executor.locate(workflow.ledger.selection(request.id), request.scope.client)
        found = impact(executor, located, workflow.rules)
    shards = ", ".join(map(str, found["shards"])) or "none"
    holders = ", ".join(f"{client} ({rows} rows)" for client, rows in located.rows.items()) or "nobody"
    again = f"{shards} of {found['of_shards']}; {found['rounds']} rounds again at all clients"
    console.print(
        f"held by    {holders}",
        f"shards     {again if found['shards'] else 'none learned from it'}",
        *([f"because    {changes(found['changed'])}"] if found["changed"] else []),
        f"takes      about {duration(found['estimated_seconds'])}{'; withdrawn at once' if found['shards'] else ''}",
        f"claim      {found['claim']} ({found['why']})",
        f"baselines  {', '.join(found['baselines_removed']) or 'none'} to be removed",
        f"remains    {'; '.join([*found['exceptions'], *found['elsewhere']])}",
        sep="\n", markup=False, soft_wrap=True,
    )  # fmt: skip
    tell_sender(workflow, console)
    write_result({**found, "clients": located.rows}, json)


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
    from fedrec.console.json_output import write_result
    from fedrec.parallel.worker_count import get_ready, parse_workers
    from unlearning.commands.forget.carry_out import carry_out

    side_by_side = parse_workers(workers)
    get_ready(side_by_side, *session().modules)
    host, workflow, console = open_host(run, database, json)
    signer = acting(workflow, by, "signer", console)
    if signer not in workflow.operators.names("signer"):
        who = command("forget keys --run", workflow.model.folder)
        raise UsageError(f"--by {signer}: no signer in force; {who} shows who is, and with --create makes one")
    say = partial(console.print, markup=False, soft_wrap=True)
    outcomes = carry_out(host, workflow, signer, workers=side_by_side, say=say, rederive=rederive, database=database)
    for outcome in outcomes:
        console.print(
            f"{outcome['id']}  {outcome['state']}  {outcome['certificate'] or ''}", markup=False, soft_wrap=True
        )
    if outcomes:
        tell_sender(workflow, console)
    else:
        console.print("nothing to do: no approved request is open")
    warn(workflow, console, workflow.ledger.open_requests())
    write_result({"requests": outcomes}, json)
    if failed := sum(outcome["state"] == "failed" for outcome in outcomes):
        why = command("forget status --run", workflow.model.folder)
        raise FedrecError(f"{failed} of {len(outcomes)} requests failed: {why} says why")


def commands_over(given: Session) -> typer.Typer:
    """All of them, over the trained models that they are handed."""
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        help='"Delete me": from the request to the certificate.',
        context_settings={"obj": given},
    )
    app.callback()(choose_keys)
    for each in _COMMANDS:
        app.command(each.__name__.rstrip("_"))(each)
    return app


_COMMANDS: tuple[Callable[..., None], ...] = (
    submit, approve, refuse, hold, release, extend, cancel, plan, run,
    status, list_, show, audit, verify, certificate, keys,
)  # fmt: skip
