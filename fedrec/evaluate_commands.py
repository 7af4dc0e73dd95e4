"""`fedrec evaluate`: show again what a finished run measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedrec.options import Json


def evaluate(
    run: Annotated[Path | None, typer.Argument(help="the run's folder; left out = the newest under runs/")] = None,
    json: Json = None,
) -> None:
    """Print the metrics per client and overall, of the run in folder RUN, or the newest under runs/."""
    from fedrec.output import write_result
    from fedrec.store import open_run

    result = open_run(run).result
    write_result(result, json)
    if json != "-":
        from rich.console import Console

        from fedrec.tables import results_table

        Console().print(results_table(result))
