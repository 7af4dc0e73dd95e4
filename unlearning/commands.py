"""`fedrec unlearn`: methods of unlearning side by side."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fedrec.errors import Interrupted, UsageError
from fedrec.options import Base, Data, Format, Items, Json, LikeAbove, Set, SkipBadRows, StandsFor, Workers, given

if TYPE_CHECKING:
    from fedrec.terminal import Terminal
    from unlearning.comparison_folder import Plan
    from unlearning.pool import Workers as Where

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Methods of unlearning side by side.")

METHODS = "sisa,grapheraser,receraser,apa-d,apa-nd,strict,strict-hash"


@app.callback()
def _group() -> None:
    """Methods of unlearning side by side."""


@app.command()
def compare(
    data: Data = None,
    form: Format = None,
    items: Items = None,
    like_above: LikeAbove = None,
    skip_bad_rows: SkipBadRows = False,
    methods: Annotated[
        str,
        typer.Option(
            help="Methods, or PARTITIONER+AGGREGATOR; commas between; ? shows all. Retraining is always run.",
            show_default="the published and the strict ones",
        ),
    ] = METHODS,
    shards: Annotated[int, typer.Option(help="Shards, each trained alone.", min=1, max=256)] = 4,
    slices: Annotated[int, typer.Option(help="Slices of a shard, with a checkpoint after each.", min=1, max=64)] = 1,
    unit: Annotated[str, typer.Option(help="What is deleted: row or user.")] = "user",
    forget: Annotated[int, typer.Option(help="How many of them, drawn by the seed.", min=1)] = 1,
    rows: Annotated[
        int | None,
        typer.Option(help="Keep only so many train rows, drawn by the seed.", min=1),
        StandsFor("data.train_rows"),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds; commas between.")] = "42",
    workers: Workers = "auto",
    gpus: Annotated[float, typer.Option(help="Part of a GPU that a shard needs, with workers on Ray.", min=0)] = 0.0,
    latency: Annotated[bool, typer.Option("--latency", help="Measure the time that an answer takes too.")] = False,
    base: Base = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the comparison; what is done there is not done again. None: a new one."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Throw away what --out holds.")] = False,
    config: Annotated[Path | None, typer.Option(help="Configuration of the training, TOML.")] = None,
    set_: Set = None,
    json: Json = None,
) -> None:
    """Train each method, delete, and measure it against retraining everything without the deleted rows."""
    from fedrec.terminal import terminal

    chosen = _seeds(seeds)
    if unit not in ("row", "user"):
        raise UsageError(f"--unit {unit}: choose row or user")

    from fedrec import config as configuration
    from fedrec.lock import only_writer
    from fedrec.output import write_result
    from fedrec.preparation import resolve
    from fedrec.store import RUNS
    from fedrec.workers import AUTO, crowding, get_ready, parse_workers
    from unlearning.comparison_folder import Plan, claim
    from unlearning.methods.choices import choices

    console = terminal(json == "-")
    if methods.strip() == "?":
        console.print(choices())
        return
    side_by_side = parse_workers(workers)
    get_ready(side_by_side, "unlearning.beside", "unlearning.model")
    overrides = given(compare, locals())
    plan = Plan(
        config=resolve(configuration.load(config, overrides, tuple(set_ or ()))),
        methods=tuple(name.strip() for name in methods.split(",")),
        shards=shards,
        slices=slices,
        unit="user" if unit == "user" else "row",
        forget=forget,
        seeds=chosen,
    )
    folder = out or RUNS / f"{time.strftime('%Y%m%d-%H%M%S')}-unlearn"
    with only_writer(folder):
        claim(folder, plan, replace)
        if side_by_side != AUTO and (hint := crowding(int(side_by_side), plan.config.train.threads)):
            console.print(hint, style="dim", soft_wrap=True)
        result = _compared(folder, plan, _where(side_by_side, shards, gpus), latency, console)
    write_result(result, json)


def _compared(folder: Path, plan: Plan, where: Where, latency: bool, console: Terminal) -> dict[str, Any]:
    """What came of it, as it is shown and as its page in the folder has it."""
    from fedrec.reporting.comparison_console import results
    from unlearning.compare import compare as run
    from unlearning.comparison_folder import write_page
    from unlearning.comparison_progress import telling

    try:
        with telling(console, plan.unit) as told:
            result = run(folder, plan, where, told, latency)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; the same command with --out {folder} continues it") from None
    console.print("", results(result), "", sep="\n")
    page = write_page(result, folder)
    console.print("report", page, markup=False, soft_wrap=True)
    return result


def _where(workers: str | int, shards: int, gpus: float) -> Where:
    """On Ray where there is a cluster or where GPUs are shared out; otherwise in processes on this machine."""
    from fedrec.workers import AUTO
    from unlearning.beside import Beside
    from unlearning.pool import Pool

    if workers != 0 and (gpus or os.environ.get("RAY_ADDRESS")):
        return Pool(shards if workers == AUTO else int(workers), gpus)
    return Beside(workers, shards)


def _seeds(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise UsageError(
            f"--seeds {text}: write different whole numbers from 0 on, with commas between, for example 1,2,3"
        )
    return tuple(map(int, parts))
