"""`fedrec deploy client`: the SuperNode of a home, with its key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ClientToml = Annotated[Path, typer.Argument(metavar="deploy.toml", help="As `fedrec deploy keys` wrote it.")]
HomeFolder = Annotated[Path, typer.Option("--home", help="The client's home, as `fedrec client init` made it.")]


def client(config: ClientToml, home: HomeFolder) -> None:
    """Start a client; it runs until it is stopped, and answers its server as its home's policy allows."""
    from clients.deployment.host import serve
    from fedrec.console.visible import visible
    from fedrec.deployment.settings import ClientSettings, read_settings

    serve(read_settings(config, ClientSettings), home, lambda text: typer.echo(visible(text)))
