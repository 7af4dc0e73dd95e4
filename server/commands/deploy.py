"""`fedrec deploy server`: the SuperLink, the gate in front of it, and who may come in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ServerToml = Annotated[Path, typer.Argument(metavar="server.toml", help="As `fedrec deploy keys` wrote it.")]


def server(config: ServerToml) -> None:
    """Start the server; it runs until it is stopped. `fedrec simulate --on server.toml` trains with its clients."""
    from fedrec.console.visible import visible
    from fedrec.deployment.settings import ServerSettings, read_settings
    from server.deployment.host import serve

    settings = read_settings(config, ServerSettings)
    serve(settings, config.resolve(), lambda text: typer.echo(visible(text)))
