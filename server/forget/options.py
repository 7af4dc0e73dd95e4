"""What the commands of `fedrec forget` share: their options, the office of a run, and who acts in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedrec.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from server.forget.office import Office
    from unlearning.keys import Role

RunOption = Annotated[Path | None, typer.Option("--run", help="The run. None: the newest under runs/.")]
Database = Annotated[
    str | None,
    typer.Option(help="URL of the ledger, postgresql+psycopg://…. None: that of FEDREC_LEDGER, or SQLite in the run."),
]
Operator = Annotated[str | None, typer.Option(help="Who does it. None: the first operator in force.")]
RequestId = Annotated[str, typer.Argument(help="The request.")]


def open_office(run: Path | None, database: str | None, json: str | None) -> tuple[Office, Console]:
    """The office of a run, and where to say what happens: beside standard output where JSON goes there."""
    from rich.console import Console

    from fedrec.store import open_run
    from server.forget.office import Office

    return Office(open_run(run), database), Console(stderr=json == "-", highlight=False)


def acting(office: Office, name: str | None, role: Role, console: Console) -> str:
    """The operator who acts: the one named, or the first in force with the role; a run that has none gets one.

    Raises:
        UsageError: nobody in force has the role.
    """
    if name is not None:
        return name
    first, made = office.operators.ensure_one()
    if made:
        console.print(
            f"made an operator '{first}' with all roles in {office.operators.folder}; `fedrec forget keys` makes more"
        )
        return first
    able = office.operators.names(role)
    if not able:
        raise UsageError(f"no operator in force is a {role}: `fedrec forget keys --create NAME --role {role}`")
    return able[0]
