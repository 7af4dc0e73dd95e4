"""What the commands of `fedrec forget` share: what they are handed, their options, and who acts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
import typer

from fedrec.errors import UsageError, command
from fedrec.options import Run

if TYPE_CHECKING:
    from fedrec.console.terminal import Terminal
    from unlearning.executor import Host
    from unlearning.operators.keyring import Keyring
    from unlearning.operators.keys import Role
    from unlearning.workflow.workflow import Workflow

RunOption = Run
Database = Annotated[
    str | None,
    typer.Option(help="URL of the ledger, postgresql+psycopg://…. None: that of FEDREC_LEDGER, or SQLite in the run."),
]
Operator = Annotated[str | None, typer.Option(help="Who does it. None: the first operator in force.")]
RequestId = Annotated[str, typer.Argument(help="The request; as much of its id as no other begins with.")]


@dataclass(frozen=True)
class Session:
    """What the commands are handed.

    Attributes:
        open: a trained model by its folder; without one, the newest.
        modules: what processes that compute beside this one import.
        keyring: the keys of whoever acts; None: those of the environment.
    """

    open: Callable[[Path | None], Host]
    modules: tuple[str, ...]
    keyring: Keyring | None = None


def choose_keys(
    context: typer.Context,
    keys: Annotated[
        Path | None, typer.Option(help="Your folder of private keys. None: FEDREC_KEYS, or ~/.config/fedrec/keys.")
    ] = None,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(help="Your passphrase. None: FEDREC_PASSPHRASE_FILE, FEDREC_PASSPHRASE, or you are asked."),
    ] = None,
) -> None:
    from unlearning.workflow.passphrases import own_keyring

    if keys is not None or passphrase_file is not None:
        context.obj = replace(session(), keyring=own_keyring(keys, passphrase_file))


def session() -> Session:
    """What the command at hand was given."""
    given = click.get_current_context().find_object(Session)
    assert given is not None
    return given


def open_host(run: Path | None, database: str | None, json: str | None) -> tuple[Host, Workflow, Terminal]:
    """A trained model, its workflow, and where to say what happens: beside standard output where JSON goes there.

    Which run was taken is said where none was named.
    """
    from fedrec.console.progress import working
    from fedrec.console.terminal import terminal

    with working(f"opening {run or 'the newest run'}"):
        from unlearning.workflow.workflow import Workflow

        host = session().open(run)
    console = terminal(json == "-")
    if run is None:
        console.print(f"run {host.model.folder}", style="dim", markup=False, soft_wrap=True)
    return host, Workflow(host.model, database, session().keyring), console


def open_workflow(run: Path | None, database: str | None, json: str | None) -> tuple[Workflow, Terminal]:
    """As `open_host`, where nothing is started."""
    _, workflow, console = open_host(run, database, json)
    return workflow, console


def tell_sender(workflow: Workflow, console: Terminal) -> None:
    """A letter without the controller's name is no answer to a person."""
    if not workflow.rules.sender:
        where = workflow.folder / "policy.json"
        console.print(f'letters name no controller: write "sender" into {where}', markup=False, soft_wrap=True)


def acting(workflow: Workflow, name: str | None, role: Role, console: Terminal) -> str:
    """The operator who acts: the one named, or the first in force with the role; a run that has none gets one.

    Raises:
        UsageError: nobody in force has the role.
    """
    if name is not None:
        return name
    if not workflow.operators.operators():
        first, _ = workflow.ensure_one()
        console.print(
            f"made an operator '{first}' with all roles; the private key is {workflow.keyring.path(first)}",
            markup=False, soft_wrap=True,
        )  # fmt: skip
        return first
    able = workflow.operators.names(role)
    if not able:
        make = command(f"forget keys --create NAME --role {role} --run", workflow.model.folder)
        raise UsageError(f"no operator in force is a {role}: {make} makes one")
    return able[0]
