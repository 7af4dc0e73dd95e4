"""`fedrec simulate`: federated rounds on this machine."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from fedrec.errors import UsageError


def simulate(
    data: Annotated[
        str | None, typer.Option(help="Data set: file or folder. None: a generated world of films.")
    ] = None,
    clients: Annotated[int | None, typer.Option(help="Number of clients.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Federated rounds.")] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="pplr, fedavg, fedprox, ditto, local or central; more after commas run as baselines."),
    ] = None,
    shards: Annotated[int | None, typer.Option(help="Shards, each a federation of its own.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    base: Annotated[
        str | None, typer.Option(help="Base model: Hugging Face id or folder. None: the embedded Llama.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run. None: a new one under runs/.")] = None,
    workers: Annotated[int, typer.Option(help="Ray processes; 0 runs everything in this process.", min=0)] = 0,
    resume: Annotated[Path | None, typer.Option(help="Continue this run where it stopped.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Throw away the run that --out holds.")] = False,
    config: Annotated[Path | None, typer.Option(help="Configuration, TOML.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="section.key=value, over everything else.")] = None,
    json: Annotated[str | None, typer.Option(help="Write the result here as JSON; - is standard output.")] = None,
) -> None:
    """Train a recommender in federated rounds, and measure it on each client's own later interactions."""
    named = {
        "data.path": data, "clients.count": clients, "federation.rounds": rounds, "shards": shards, "seed": seed,
        "base": base,
    }  # fmt: skip
    overrides = {key: value for key, value in named.items() if value is not None}
    if resume is not None:
        if overrides or strategy or config or set_ or out:
            raise UsageError("--resume continues a run as it was configured: give it no other settings")
        runs = _reopened(resume)
    else:
        runs = _new(overrides, strategy, config, tuple(set_ or ()), out, replace)
    _execute(runs, workers, json)


def _new(
    overrides: dict[str, Any],
    strategy: str | None,
    config: Path | None,
    sets: tuple[str, ...],
    out: Path | None,
    replace: bool,
) -> list[Any]:
    """The run and its baselines, created but not prepared."""
    from fedrec import config as configuration
    from fedrec.store import RUNS, create_run
    from server.prepare import resolve

    if strategy:
        overrides["strategy"], *overrides["baselines"] = strategy.split(",")
    main = resolve(configuration.load(config, overrides, sets))
    beside = _baselines(main)  # a mistake in one is told before anything is written
    folder = out or RUNS / f"{time.strftime('%Y%m%d-%H%M%S')}-{main.strategy}"
    if replace and (folder / "config.json").exists():
        shutil.rmtree(folder)
    run = create_run(folder, main)
    return [run, *(create_run(folder / "baselines" / name, c) for name, c in beside.items())]


def _reopened(folder: Path) -> list[Any]:
    """The run and its baselines, where a kill may have come before some were created."""
    from fedrec.store import create_run, open_run

    run = open_run(folder)
    for name, config in _baselines(run.config).items():
        if not (run.folder / "baselines" / name / "config.json").exists():
            create_run(run.folder / "baselines" / name, config)
    return [run, *run.baselines]


def _baselines(main: Any) -> dict[str, Any]:
    """The configuration of each baseline by its name: that of the run, but for the strategy."""
    from fedrec.config import parse

    common = {**main.model_dump(), "baselines": ()}
    return {name: parse({**common, "strategy": name}) for name in main.baselines}


def _execute(runs: list[Any], workers: int, json: str | None) -> None:
    from rich.console import Console

    from fedrec.output import write_result
    from fedrec.tables import results_table, round_line
    from server.prepare import finish
    from server.simulation import simulate as run_simulation
    from server.simulation import write_result_and_page

    console = Console(stderr=json == "-")
    for run in runs:
        prepared = finish(run)
        console.print(f"[bold]{prepared.config.strategy}[/bold] in {prepared.folder}")
        run_simulation(
            prepared,
            workers,
            lambda entry: console.print(round_line(entry), markup=False, highlight=False, soft_wrap=True),
        )
    result = write_result_and_page(runs[0])
    console.print(results_table(result))
    console.print(f"report: {runs[0].folder / 'report.html'}")
    write_result(result, json)
