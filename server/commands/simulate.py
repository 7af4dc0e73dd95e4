"""`fedrec simulate`: federated rounds on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fedrec.errors import UsageError
from fedrec.options import (
    Base,
    Config,
    Data,
    Format,
    Items,
    Json,
    LikeAbove,
    Replace,
    Seed,
    Set,
    SkipBadRows,
    StandsFor,
    Workers,
    given,
)
from fedrec.registry import STRATEGIES
from server.remote_folder import is_remote
from server.transports import TRANSPORTS

if TYPE_CHECKING:
    from fedrec.console.terminal import Terminal
    from server.deployment.remote_run import RemoteRun
    from server.launch import Listener
    from server.rounds import Entry
    from server.simulated_run import SimulatedRun

Clients = Annotated[int | None, typer.Option(help="Number of clients.", show_default="5"), StandsFor("clients.count")]
Rounds = Annotated[int | None, typer.Option(help="Federated rounds.", show_default="4"), StandsFor("federation.rounds")]
Strategies = Annotated[
    str | None,
    typer.Option(help=f"{', '.join(STRATEGIES)}; more after commas run as baselines.", show_default="pplr"),
]
Shards = Annotated[
    int | None, typer.Option(help="Shards, each a federation of its own.", show_default="1"), StandsFor("shards")
]
Out = Annotated[Path | None, typer.Option(help="Folder of the run. None: a new one under runs/.")]
Homes = Annotated[
    Path | None, typer.Option(help="A folder of clients' homes, filled by `fedrec vault import`, to train with.")
]
Transported = Annotated[str, typer.Option("--transport", help=f"How clients are reached: {', '.join(TRANSPORTS)}.")]
On = Annotated[
    str | None,
    typer.Option(help="With the clients of a deployed federation: its server.toml, or a Flower connection's name."),
]
Resume = Annotated[Path | None, typer.Option(help="Continue this run where it stopped.")]


def simulate(
    data: Data = None,
    form: Format = None,
    items: Items = None,
    like_above: LikeAbove = None,
    skip_bad_rows: SkipBadRows = False,
    clients: Clients = None,
    rounds: Rounds = None,
    strategy: Strategies = None,
    shards: Shards = None,
    seed: Seed = None,
    base: Base = None,
    out: Out = None,
    homes: Homes = None,
    workers: Workers = "auto",
    transport: Transported = "processes",
    on: On = None,
    resume: Resume = None,
    replace: Replace = False,
    config: Config = None,
    set_: Set = None,
    json: Json = None,
) -> None:
    """Train a recommender in federated rounds, and measure it on each client's own later interactions."""
    from fedrec import api
    from fedrec.console.terminal import terminal
    from fedrec.parallel.worker_count import get_ready, parse_workers

    settings = given(simulate, locals())
    names = [name.strip() for name in strategy.split(",")] if strategy else ()
    TRANSPORTS.check(transport, "--transport")
    if resume is not None and (settings or strategy or config or set_ or out or homes):
        raise UsageError("--resume continues a run as it was configured: give it no other settings")
    console = terminal(json == "-")
    if on is not None or (resume is not None and is_remote(resume)):
        if homes is not None:
            raise UsageError("--homes are of this machine, and with --on each client has its own: leave one out")
        told = Told(settings, names, config, set_ or (), out, replace)
        remote = _remote(console, on, resume, told)
        _print(console, remote.result, remote.report, json)
        return
    get_ready(parse_workers(workers), "server.transports.processes", "clients.app")
    telling = _telling(console)
    if resume is not None:
        run = api.resume(resume, workers=workers, transport=transport, listener=telling)
    else:
        run = api.simulate(
            homes=homes, strategy=names, settings=settings, sets=set_ or (), config=config, out=out, workers=workers,
            transport=transport, replace=replace, listener=telling,
        )  # fmt: skip
    _print(console, run.result, run.report, json)


def _print(console: Terminal, result: dict[str, Any], report: Path, json: str | None) -> None:
    from fedrec.console.json_output import write_result
    from fedrec.reporting.run_console import print_results

    console.print()
    print_results(console, result)
    console.print()
    console.print("report", report, markup=False, soft_wrap=True)
    write_result(result, json)


@dataclass(frozen=True)
class Told:
    """What a user said of a new run."""

    settings: dict[str, Any]
    strategies: Sequence[str]
    config: Path | None
    sets: Sequence[str]
    out: Path | None
    replace: bool


def _remote(console: Terminal, on: str | None, resume: Path | None, told: Told) -> RemoteRun:
    """A run of a deployed federation, whose lines are shown as they come."""
    from server.deployment import remote_run

    def say(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    if resume is not None:
        return remote_run.resume(resume, say, on)
    assert on is not None
    tree = remote_run.settings_tree(told.settings, told.strategies, told.config, told.sets)
    return remote_run.start(on, tree, told.out, say, told.replace)


def _telling(console: Terminal) -> Listener:
    """On standard output, or beside it where JSON goes there: a line a run and a line a round."""
    from rich.text import Text

    from fedrec.console.json_output import warn
    from fedrec.parallel.worker_count import crowding
    from fedrec.reporting.run_console import ROUND_HEADER, done_line, round_line
    from server.launch import Listener

    def on_run(run: SimulatedRun, processes: int) -> None:
        if hint := crowding(processes, run.config.train.threads):
            console.print(hint, style="dim", soft_wrap=True)
        console.print(Text.assemble((run.config.strategy, "bold"), f" in {run.folder}"), soft_wrap=True)
        if (done := done_line(run.rounds.last(), run.config.federation.rounds)) is not None:
            console.print(done, style="dim", soft_wrap=True)
        console.print(ROUND_HEADER, style="dim", soft_wrap=True)

    def on_round(entry: Entry) -> None:
        console.print(round_line(entry.content()), markup=False, soft_wrap=True)

    return Listener(warn, on_run, on_round)
