"""`fedrec unlearn`: sharded models, and methods of unlearning side by side."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

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
    Set,
    SkipBadRows,
    StandsFor,
    Workers,
    given,
)
from unlearning.commands.train import Gpus, train

if TYPE_CHECKING:
    from fedrec.console.terminal import Terminal
    from unlearning.methods.method import Unit

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Sharded models, and methods of unlearning.")
app.command()(train)

Methods = Annotated[
    str,
    typer.Option(
        help="Methods, or PARTITIONER+AGGREGATOR; commas between; ? shows all. Retraining is always run.",
        show_default="the published and the strict ones",
    ),
]
Shards = Annotated[int, typer.Option(help="Shards, each trained alone.", min=1, max=256)]
Slices = Annotated[int, typer.Option(help="Slices of a shard, with a checkpoint after each.", min=1, max=64)]
Deleted = Annotated[str, typer.Option(help="What is deleted: row or user.")]
Forget = Annotated[str, typer.Option(help="How many of them, or a share such as 20%, drawn by the seed.")]
Requests = Annotated[
    int, typer.Option(help="In how many requests, one after another, approximate methods forget them.", min=1)
]
TrainRows = Annotated[
    int | None,
    typer.Option(help="Keep only so many train rows, drawn by the seed.", min=1),
    StandsFor("data.train_rows"),
]
ShadowModels = Annotated[
    int, typer.Option(help="Shadow models for a likelihood-ratio attack on what was deleted; 0: none.", min=0, max=256)
]
Seeds = Annotated[str, typer.Option(help="Seeds; commas between.")]
Latency = Annotated[bool, typer.Option("--latency", help="Measure the time that an answer takes too.")]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder of the comparison; what is done there is not done again. None: a new one."),
]


@app.command()
def compare(
    data: Data = None,
    form: Format = None,
    items: Items = None,
    like_above: LikeAbove = None,
    skip_bad_rows: SkipBadRows = False,
    methods: Methods = "",
    shards: Shards = 4,
    slices: Slices = 1,
    unit: Deleted = "user",
    forget: Forget = "1",
    requests: Requests = 1,
    rows: TrainRows = None,
    seeds: Seeds = "42",
    shadows: ShadowModels = 0,
    workers: Workers = "auto",
    gpus: Gpus = 0.0,
    latency: Latency = False,
    base: Base = None,
    out: Out = None,
    replace: Replace = False,
    config: Config = None,
    set_: Set = None,
    json: Json = None,
) -> None:
    """Train each method, delete, and measure it against retraining everything without the deleted rows."""
    from fedrec.console.terminal import terminal
    from fedrec.parallel.worker_count import get_ready, parse_workers

    chosen, wanted = _seeds(seeds), _forget(forget)
    if unit not in ("row", "user"):
        raise UsageError(f"--unit {unit}: choose row or user")
    console = terminal(json == "-")
    if methods.strip() == "?":
        _show_methods(console)
        return
    get_ready(parse_workers(workers), "unlearning.compute.processes", "unlearning.central.model")
    from fedrec import api
    from fedrec.console.json_output import write_result
    from fedrec.reporting.comparison_console import results
    from unlearning.comparison.console import ConsoleListener

    done = api.compare(
        methods=[name.strip() for name in methods.split(",")] if methods else (),
        shards=shards,
        slices=slices,
        unit=cast("Unit", unit),
        forget=wanted,
        requests=requests,
        seeds=chosen,
        shadows=shadows,
        gpus=gpus,
        settings=given(compare, locals()),
        sets=set_ or (),
        config=config,
        out=out,
        replace=replace,
        workers=workers,
        latency=latency,
        listener=ConsoleListener(console, cast("Unit", unit)),
    )
    console.print("", results(done.result), "", sep="\n")
    console.print("report", done.report, markup=False, soft_wrap=True)
    write_result(done.result, json)


def _show_methods(console: Terminal) -> None:
    from unlearning.comparison.console import choices

    console.print(choices())


def _forget(text: str) -> int | str:
    share = re.fullmatch(r"(\d+(\.\d+)?)%", text)
    if (text.isdecimal() and int(text)) or (share and 0 < float(share[1]) < 100):
        return text if share else int(text)
    raise UsageError(f"--forget {text}: write how many, for example 1, or a share of them, for example 20%")


def _seeds(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise UsageError(
            f"--seeds {text}: write different whole numbers from 0 on, with commas between, for example 1,2,3"
        )
    return tuple(map(int, parts))
