"""`fedrec forget`: erasure requests of a run, from the submission to the certificate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from fedrec.errors import FedrecError, UsageError, command
from fedrec.options import Json, Run, Workers
from fedrec.text import amount
from unlearning.commands.forget.arguments import (
    Database,
    Opened,
    Operator,
    RequestId,
    Session,
    choose_keys,
    opened,
    over_workflow,
    session,
)
from unlearning.commands.forget.audit import audit
from unlearning.commands.forget.certificate import certificate, keys, verify
from unlearning.commands.forget.decide import approve, cancel, extend, hold, refuse, release
from unlearning.commands.forget.listing import list_, show, status, warn
from unlearning.commands.forget.submit import submit
from unlearning.way import Way


@over_workflow
def plan(given: Opened, id: RequestId) -> None:
    """ID: what a request touches and costs. Nothing is changed, but a client that is behind is put right first."""
    from fedrec.console.progress import working
    from fedrec.lock import only_writer
    from fedrec.reporting.formatting import duration
    from unlearning.executor import Away
    from unlearning.requests.states import TERMINAL
    from unlearning.workflow.findings import refuse_altered
    from unlearning.workflow.planning import changes, impact, offered

    workflow = given.workflow
    request = workflow.ledger.get(workflow.named(id))
    if request.state in TERMINAL:
        told = command(f"forget show {request.id} --run", workflow.model.folder)
        raise FedrecError(f"request {request.id} is {request.state}: there is nothing to plan; {told} tells of it")
    with working("asking the clients what they hold of it"), given.host.executor(workflow.ledger) as executor:
        try:
            executor.check_current()
        except Away:
            raise
        except FedrecError:  # a client is behind, or answers nothing, which is told below
            with only_writer(workflow.model.folder):
                refuse_altered(workflow)
                executor.catch_up(given.say)
        located = executor.locate(workflow.ledger.selection(request.id), request.scope.client)
        found, offer = impact(executor, located, workflow.rules), offered(executor, located, workflow.rules)
    shards = ", ".join(map(str, found["shards"]))
    holders = ", ".join(f"{client} ({amount(rows, 'row')})" for client, rows in located.rows.items()) or "nobody"
    again = f"{shards} of {found['of_shards']}; {amount(found['rounds'], 'round')} again at all clients"
    given.say(f"held by    {holders}")
    given.say(f"shards     {again if shards else 'none learned from it'}")
    if found["changed"]:
        given.say(f"because    {changes(found['changed'])}")
    given.say(f"takes      about {duration(found['estimated_seconds'])}{'; withdrawn at once' if shards else ''}")
    given.say(f"claim      {found['claim']} ({found['why']})")
    if "why_not" in offer:
        given.say(f"or         not approximately: {offer['why_not']}")
    elif offer:
        given.say(
            f"or         about {duration(offer['estimated_seconds'])} with --way approximate, if it is shown to be"
        )
        given.say(f"           {offer['claim']}, and with --way bridge until the exact answer is there")
    given.say(f"baselines  {', '.join(found['baselines_removed']) or 'none'} to be removed")
    given.say(f"remains    {'; '.join([*found['exceptions'], *found['elsewhere']])}")
    given.tell_sender()
    given.write({**found, "clients": located.rows, "approximate": offer or None})


def run(
    way: Annotated[
        Way,
        typer.Option(
            help="exact: what learned from the rows is trained again. approximate: it is changed until it tells them "
            "from others no better than the limit, which is quicker and claims less. bridge: the latter at once, and "
            "the former when it is done. What was begun before goes on as it was planned."
        ),
    ] = Way.EXACT,
    rederive: Annotated[
        bool, typer.Option("--rederive", help="Train the shards twice, and publish only what came out equal.")
    ] = False,
    run: Run = None,
    by: Operator = None,
    workers: Workers = "auto",
    database: Database = None,
    json: Json = None,
) -> None:
    """Carry out every approved request. Killed at any moment, the same command goes on."""
    from fedrec.parallel.worker_count import get_ready, parse_workers
    from unlearning.commands.forget.carry_out import carry_out

    if rederive and way == Way.APPROXIMATE:
        raise UsageError(f"--rederive trains again, and --way {way} does not: choose --way exact or bridge")
    processes = parse_workers(workers)
    get_ready(processes, *session().modules)
    given = opened(run, database, json)
    workflow, signer = given.workflow, given.acting(by, "signer")
    if signer not in workflow.operators.names("signer"):
        who = command("forget keys --run", workflow.model.folder)
        raise UsageError(f"--by {signer}: no signer in force; {who} shows who is, and with --create makes one")
    outcomes = carry_out(
        given.host, workflow, signer, workers=processes, say=given.say, rederive=rederive, way=way, database=database
    )
    for outcome in outcomes:
        given.say(f"{outcome['id']}  {outcome['state']}  {outcome['certificate'] or ''}")
    if outcomes:
        given.tell_sender()
    else:
        given.say("nothing to do: no approved request is open")
    warn(given, ((request.due_at, request.id) for request in workflow.ledger.open_requests()))
    given.write({"requests": outcomes})
    if failed := sum(outcome["state"] == "failed" for outcome in outcomes):
        why = command("forget status --run", workflow.model.folder)
        raise FedrecError(f"{failed} of {amount(len(outcomes), 'request')} failed: {why} says why")


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
