"""`fedrec unlearn train`: a sharded model that can be asked, and asked to forget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    Workers,
    given,
    new_folder,
)

Method = Annotated[
    str | None,
    typer.Option(
        help="A method, or PARTITIONER+AGGREGATOR; `compare --methods ?` shows all.", show_default="strict-hash"
    ),
]
Shards = Annotated[int | None, typer.Option(help="Shards, each trained alone.", min=1, max=256, show_default="4")]
Slices = Annotated[
    int | None,
    typer.Option(help="Slices of a shard, with a checkpoint after each.", min=1, max=64, show_default="1"),
]
Gpus = Annotated[float, typer.Option(help="Part of a GPU that a shard needs, with workers on Ray.", min=0)]
Out = Annotated[Path | None, typer.Option(help="Folder of the model. None: a new one under runs/.")]
Resume = Annotated[Path | None, typer.Option(help="Continue this model where it stopped.")]


def train(
    data: Data = None,
    form: Format = None,
    items: Items = None,
    like_above: LikeAbove = None,
    skip_bad_rows: SkipBadRows = False,
    method: Method = None,
    shards: Shards = None,
    slices: Slices = None,
    seed: Seed = None,
    workers: Workers = "auto",
    gpus: Gpus = 0.0,
    base: Base = None,
    out: Out = None,
    resume: Resume = None,
    replace: Replace = False,
    config: Config = None,
    set_: Set = None,
    json: Json = None,
) -> None:
    """Train a sharded model in one place; `recommend`, `forget` and `report` take its folder as --run."""
    from fedrec.console.json_output import warn, write_result
    from fedrec.console.progress import side_by_side, working
    from fedrec.console.terminal import terminal
    from fedrec.lock import only_writer
    from fedrec.parallel.worker_count import get_ready, parse_workers

    overrides, processes = given(train, locals()), parse_workers(workers)
    get_ready(processes, "unlearning.compute.processes", "unlearning.central.model")
    from fedrec import config as configuration
    from fedrec.preparation import resolve
    from fedrec.reporting.run_console import print_results
    from unlearning.central import train as training
    from unlearning.compute.processes import workers_for
    from unlearning.methods import method_named

    if resume is not None and (overrides or config or set_ or out or method or shards or slices):
        raise UsageError("--resume continues a model as it was configured: give it no other settings")
    resolved = resolve(configuration.load(config, overrides, tuple(set_ or ())))
    chosen = method_named(method or "strict-hash", shards or 4, slices or 1, resolved.aggregation)
    folder = resume or new_folder(out, chosen.name)
    with only_writer(folder):
        if resume is None:
            with working("preparing: data, base model, shards"):
                warnings = training.create(folder, resolved, chosen, replace)
            warn(warnings)
        with side_by_side() as tell:
            result = training.train(
                folder,
                lambda pieces: workers_for(processes, pieces, gpus),
                lambda shard, step, steps: tell(f"shard {shard}", step, steps),
            )
    console = terminal(json == "-")
    print_results(console, result)
    console.print("report", folder / "report.html", markup=False, soft_wrap=True)
    write_result(result, json)
