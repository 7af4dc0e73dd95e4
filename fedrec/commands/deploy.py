"""`fedrec deploy`: keys here; the server's and the client's processes by the names of who starts them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedrec.errors import UsageError
from fedrec.registry import attribute
from fedrec.text import amount

HELP = "Real processes on real machines: keys, a server, clients."
app = typer.Typer(no_args_is_help=True, add_completion=False, help=HELP)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of all keys; its ca/ is best kept offline.")]
Hosts = Annotated[
    list[str] | None, typer.Option("--host", help="Name or address by which clients reach the server; repeat for more.")
]
Port = Annotated[int, typer.Option(help="On which they reach it.", min=1, max=65_535)]
_HERE = ("localhost",)


@app.callback()
def _group() -> None:
    """Real processes on real machines: keys, a server, clients."""


@app.command()
def keys(
    folder: Folder,
    clients: Annotated[int | None, typer.Option(help="So many, client-0 and on.", min=1, max=10_000)] = None,
    client: Annotated[list[str] | None, typer.Option(help="Name of a client; repeat for more.")] = None,
    host: Hosts = None,
    port: Port = 9443,
) -> None:
    """A CA, the server's certificate and a key for each client, with a TOML for each side; overwrites nothing."""
    from fedrec.data.client_partition import client_names
    from fedrec.deployment.keys import make_keys

    names = [*(client_names(clients) if clients else ()), *(client or ())]
    if not names:
        raise UsageError("name clients: --clients 3, or --client NAME for each")
    make_keys(folder, names, host or _HERE, port)
    _say(
        f"{folder}: {amount(len(names), 'client')}; hand server/ to the server, clients/NAME/ to each, keep ca/ offline"
    )


@app.command()
def add(
    folder: Folder,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the client.")],
    host: Annotated[str, typer.Option(help="By which it reaches the server.")] = _HERE[0],
    port: Port = 9443,
) -> None:
    """A key for one more client; copy its NAME.pub into the running server's clients/ and it may come in."""
    from fedrec.deployment.keys import add_client

    add_client(folder, name, host, port)
    _say(f"{folder / 'clients' / name}: for the client; {folder / 'server' / 'clients' / name}.pub: for the server")


@app.command()
def renew(folder: Folder, host: Hosts = None) -> None:
    """A new key and certificate for the server, before the old one ends; clients go on with what they have."""
    from fedrec.deployment.keys import renew_server

    renew_server(folder, host or _HERE)
    _say(f"{folder / 'server'}: server.key and server.pem are new; start the server again with them")


def _say(text: str) -> None:
    from fedrec.console.visible import visible

    typer.echo(visible(text))


app.command("server")(attribute("server.commands.deploy:server"))
app.command("client")(attribute("clients.commands.deploy:client"))
