"""`fedrec simulate`: federated rounds on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fedrec.errors import FedrecError, Interrupted, UsageError, command, os_fault
from fedrec.options import Base, Data, Format, Items, Json, LikeAbove, Set, SkipBadRows, StandsFor, Workers, given
from fedrec.strategies import STRATEGIES
from server.transports import TRANSPORTS

if TYPE_CHECKING:
    from fedrec.config import RunConfig
    from fedrec.terminal import Terminal
    from server.transports.transport import Transport


def simulate(
    data: Data = None,
    form: Format = None,
    items: Items = None,
    like_above: LikeAbove = None,
    skip_bad_rows: SkipBadRows = False,
    clients: Annotated[
        int | None, typer.Option(help="Number of clients.", show_default="5"), StandsFor("clients.count")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(help="Federated rounds.", show_default="4"), StandsFor("federation.rounds")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help=f"{', '.join(STRATEGIES)}; more after commas run as baselines.",
            show_default="pplr",
        ),
    ] = None,
    shards: Annotated[
        int | None, typer.Option(help="Shards, each a federation of its own.", show_default="1"), StandsFor("shards")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of everything random.", show_default="42"), StandsFor("seed")
    ] = None,
    base: Base = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run. None: a new one under runs/.")] = None,
    workers: Workers = "auto",
    transport: Annotated[str, typer.Option(help=f"How clients are reached: {', '.join(TRANSPORTS)}.")] = "processes",
    resume: Annotated[Path | None, typer.Option(help="Continue this run where it stopped.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Throw away the run that --out holds.")] = False,
    config: Annotated[Path | None, typer.Option(help="Configuration, TOML.")] = None,
    set_: Set = None,
    json: Json = None,
) -> None:
    """Train a recommender in federated rounds, and measure it on each client's own later interactions."""
    from fedrec.lock import only_writer
    from fedrec.progress import working
    from fedrec.store import RUNS, open_run
    from fedrec.workers import get_ready, parse_workers

    overrides = given(simulate, locals())
    side_by_side = parse_workers(workers)
    TRANSPORTS.check(transport, "--transport")
    get_ready(side_by_side, "server.transports.processes", "clients.app")
    if resume is not None:
        if overrides or strategy or config or set_ or out:
            raise UsageError("--resume continues a run as it was configured: give it no other settings")
        folder, runs_of = open_run(resume).folder, _reopened
    else:
        main = _configured(overrides, strategy, config, tuple(set_ or ()))
        folder = out or RUNS / f"{time.strftime('%Y%m%d-%H%M%S')}-{main.strategy}"
        runs_of = partial(_new, main, replace=replace)
    with only_writer(folder):
        try:
            with working(f"opening {folder}"):
                runs = runs_of(folder)
            prepared = _prepared(runs, new=resume is None)
            with _resumable(folder):
                _execute(prepared, transport, side_by_side, json)
        except KeyboardInterrupt:
            raise Interrupted(f"stopped; continue with {command('simulate --resume', folder)}") from None


@contextmanager
def _resumable(folder: Path) -> Iterator[None]:
    """What the system refuses within the rounds, a full disk most likely, loses nothing: it is said how to go on."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        mend = f"make room or mend it, and continue with {command('simulate --resume', folder)}"
        raise FedrecError(f"{os_fault(error)}; {mend}") from None


def _configured(
    overrides: dict[str, Any], strategy: str | None, config: Path | None, sets: tuple[str, ...]
) -> RunConfig:
    """The configuration; a mistake in a baseline's is told as well, before anything is written."""
    from fedrec import config as configuration
    from fedrec.preparation import resolve

    if strategy:
        overrides["strategy"], *overrides["baselines"] = (name.strip() for name in strategy.split(","))
    main = resolve(configuration.load(config, overrides, sets))
    _baselines(main)
    return main


def _new(main: RunConfig, folder: Path, replace: bool) -> list[Any]:
    """The run and its baselines, created but not prepared."""
    from fedrec.store import create_run, remove_run

    if replace:
        remove_run(folder)
    run = create_run(folder, main)
    return [run, *(create_run(folder / "baselines" / name, c) for name, c in _baselines(main).items())]


def _reopened(folder: Path) -> list[Any]:
    """The run and its baselines."""
    from fedrec.store import open_run

    run = open_run(folder)
    return [run, *_beside(run)]


def _beside(run: Any) -> list[Any]:
    """A run's baselines, where a kill may have come before some were created, or an erasure removed them.

    Raises:
        FedrecError: an erasure is being carried out.
    """
    from fedrec.store import create_run
    from server.erasure_facts import under_way
    from server.prepare import remove_old_baselines

    if run.config.baselines and (request := under_way(run)):
        raise FedrecError(
            f"request {request} is not erased yet, so no baseline may read the data: "
            f"{command('forget status --run', run.folder)} shows why, {command('forget run --run', run.folder)} goes on"
        )
    remove_old_baselines(run)
    for name, config in _baselines(run.config).items():
        if not (run.folder / "baselines" / name / "config.json").exists():
            create_run(run.folder / "baselines" / name, config)
    return [*run.baselines]


def _baselines(main: RunConfig) -> dict[str, RunConfig]:
    """The configuration of each baseline by its name: that of the run, but for the strategy."""
    from fedrec.config import parse

    common = {**main.model_dump(), "baselines": ()}
    return {name: parse({**common, "strategy": name}) for name in main.baselines}


def _prepared(runs: list[Any], new: bool) -> list[Any]:
    """The runs ready for their rounds; nothing is left of new ones that cannot be, so the place is free for a mend."""
    from fedrec.output import warn
    from fedrec.progress import working
    from fedrec.store import remove_run

    try:
        with working("preparing: data, base model, clients"):
            from server.prepare import finish_all

            prepared = finish_all(runs)
        warn(prepared[0].reference["warnings"])
        return prepared
    except (FedrecError, OSError):
        if new:
            remove_run(runs[0].folder)
        raise


def _execute(runs: list[Any], transport: str, workers: str | int, json: str | None) -> None:
    """All rounds of all runs, and what came of it: on standard output, or beside it where JSON goes there."""
    from fedrec.output import write_result
    from fedrec.progress import working
    from fedrec.reporting.run_console import print_results
    from fedrec.terminal import terminal

    with working("getting the rounds ready"):
        from server.simulation import write_result_and_page

        reached = TRANSPORTS.load(transport)(workers)

    console = terminal(json == "-")
    _rounds(runs[0], reached, console)
    baselines = _beside(runs[0])  # listed anew: a client that is behind takes back what learned from its rows
    for baseline in baselines:
        _rounds(baseline, reached, console)
    if baselines:  # which result and page did not have yet
        with working("writing the page"):
            result = write_result_and_page(runs[0])
    else:
        result = runs[0].result
    console.print()
    print_results(console, result)
    console.print()
    console.print("report", runs[0].folder / "report.html", markup=False, soft_wrap=True)
    write_result(result, json)


def _rounds(run: Any, transport: Transport, console: Terminal) -> None:
    """One run, a line a round."""
    from rich.text import Text

    from fedrec.reporting.run_console import ROUND_HEADER, round_line
    from fedrec.workers import crowding
    from server.simulation import simulate as run_simulation

    if hint := crowding(transport.processes(run), run.config.train.threads):
        console.print(hint, style="dim", soft_wrap=True)
    console.print(Text.assemble((run.config.strategy, "bold"), f" in {run.folder}"), soft_wrap=True)
    console.print(ROUND_HEADER, style="dim", soft_wrap=True)
    run_simulation(run, transport, lambda entry: console.print(round_line(entry), markup=False, soft_wrap=True))
