"""What the commands of `fedrec forget` share: what they are handed, their options, and who acts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from fedrec.errors import UsageError, command
from fedrec.options import Json, Run

if TYPE_CHECKING:
    from fedrec.console.terminal import Terminal
    from unlearning.executor import Host
    from unlearning.operators.keyring import Keyring
    from unlearning.operators.keys import Role
    from unlearning.workflow.workflow import Workflow

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


@dataclass(frozen=True)
class Opened:
    """A trained model with its workflow, and where results go.

    Attributes:
        console: beside standard output where JSON goes there.
        json: as --json has it.
    """

    host: Host
    workflow: Workflow
    console: Terminal
    json: str | None = None

    def say(self, text: str, style: str | None = None) -> None:
        """Data as it is, in one line however long."""
        self.console.print(text, style=style, markup=False, soft_wrap=True)

    def write(self, result: Any) -> None:
        """As --json tells it."""
        from fedrec.console.json_output import write_result

        write_result(result, self.json)

    def tell_sender(self) -> None:
        """A letter without the controller's name is no answer to a person."""
        if not self.workflow.rules.sender:
            self.say(f'letters name no controller: write "sender" into {self.workflow.folder / "policy.json"}')

    def acting(self, name: str | None, role: Role) -> str:
        """The operator who acts: the one named, or the first in force with the role; a run that has none gets one.

        Raises:
            UsageError: nobody in force has the role.
        """
        operators = self.workflow.operators
        if name is not None:
            return name
        if not operators.operators():
            first, _ = self.workflow.ensure_one()
            key = self.workflow.keyring.path(first)
            self.say(f"made an operator '{first}' with all roles; the private key is {key}")
            return first
        if able := operators.names(role):
            return able[0]
        make = command(f"forget keys --create NAME --role {role} --run", self.workflow.model.folder)
        raise UsageError(f"no operator in force is a {role}: {make} makes one")


def opened(run: Path | None, database: str | None = None, json: str | None = None) -> Opened:
    """Which run was taken is said where none was named."""
    from fedrec.console.progress import working
    from fedrec.console.terminal import terminal

    with working(f"opening {run or 'the newest run'}"):
        from unlearning.workflow.workflow import Workflow

        host = session().open(run)
    console = terminal(json == "-")
    if run is None:
        console.print(f"run {host.model.folder}", style="dim", markup=False, soft_wrap=True)
    return Opened(host, Workflow(host.model, database, session().keyring), console, json)


def over_workflow(command: Callable[..., None]) -> Callable[..., None]:
    """A command that is handed what --run, --database and --json, which it has besides its own options, open."""

    @wraps(command)
    def opening(run: Path | None = None, database: str | None = None, json: str | None = None, **options: Any) -> None:
        command(opened(run, database, json), **options)

    _, *own = signature(command, eval_str=True).parameters.values()
    shared = {"run": Run, "database": Database, "json": Json}
    added = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=shared[name]) for name in shared]
    opening.__signature__ = Signature([*own, *added])  # type: ignore[attr-defined]
    opening.__annotations__ = {each.name: each.annotation for each in (*own, *added)}
    return opening
