"""`fedrec client`: a client's home, on the client's own machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedrec.errors import UsageError
from fedrec.options import Json

HomeFolder = Annotated[Path, typer.Argument(help="A client's home.")]
OfRun = Annotated[str | None, typer.Option("--run", help="Id of a run, as runs/ of the home has it. None: the newest.")]

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


@app.command()
def recommend(
    home: HomeFolder,
    user: Annotated[str, typer.Option(help="User id, as in the vault.")],
    run: OfRun = None,
    top: Annotated[int, typer.Option(help="How many items.", min=1)] = 10,
    json: Json = None,
) -> None:
    """The best unseen items for a user of this home, by what it serves; no server is asked."""
    from clients.client import Client
    from clients.serving import check_serving, newest_run
    from fedrec.console.json_output import write_result
    from fedrec.console.progress import working
    from fedrec.console.terminal import terminal
    from fedrec.data.ids import named
    from fedrec.reporting.ranking_console import print_ranking, ranking_json

    with working("ranking the titles"):
        store = newest_run(home, run)
        if (spelt := named("--user", user, store.home.users())) not in store.home.users():
            raise UsageError(f"--user {spelt}: not in the vault of {store.name}")
        check_serving(store)
        found = Client(store).recommend(spelt, top)
    write_result(ranking_json(store.id, spelt, store.name, found), json)
    if json != "-":
        print_ranking(terminal(), spelt, store.name, found)


@app.command()
def export(
    home: HomeFolder,
    to: Annotated[Path, typer.Option(help="A new folder for adapter, base model and tokenizer.")],
    run: OfRun = None,
    shard: Annotated[int | None, typer.Option(help="Which shard's, where several are served.", min=0)] = None,
    json: Json = None,
) -> None:
    """What this home serves, in one folder that `AutoPeftModelForCausalLM.from_pretrained` loads."""
    from clients.export import export as export_served
    from clients.serving import check_serving, newest_run
    from fedrec.console.json_output import write_result
    from fedrec.console.progress import working
    from fedrec.console.terminal import terminal

    with working(f"writing {to}"):
        store = newest_run(home, run)
        check_serving(store)
        written = export_served(store, to, shard)
    write_result({"run": store.id} | written, json)
    if json != "-":
        terminal().print(f"adapter, base model and tokenizer of {store.name} are in {to}", markup=False, soft_wrap=True)
