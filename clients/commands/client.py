"""`fedrec client`: a client's home, on the client's own machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A client's home: who it is, what may leave it.")


@app.callback()
def _group() -> None:
    """A client's home: who it is, what may leave it."""


@app.command()
def init(
    home: Annotated[Path, typer.Argument(help="A new folder.")],
    name: Annotated[str, typer.Option(help="By which the server knows it: letters, digits and . _ -")],
    device: Annotated[str | None, typer.Option(help="What it computes on; None: as the run says.")] = None,
    base: Annotated[str | None, typer.Option(help="Folder of the base model; None: this machine's cache.")] = None,
) -> None:
    """Make a home, with a client.toml to read and change; `fedrec vault import` fills it."""
    from clients.home import Settings, create_home
    from fedrec.console.visible import visible
    from fedrec.settings import validated

    given = {"name": name, "device": device, "base": None if base is None else str(Path(base).resolve())}
    made = create_home(home, validated(Settings, given))
    typer.echo(visible(f"{made.folder / 'client.toml'}: read what may leave this folder, and change it"))
