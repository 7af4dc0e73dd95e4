"""`fedrec evaluate`: what a finished run measured, or a split measured anew, for every person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fedrec.options import Json, Run, RunFolder, one_run


def evaluate(
    folder: RunFolder = None,
    run: Run = None,
    split: Annotated[
        Literal["valid", "test"] | None,
        typer.Option(help="Measure all rows of this split now. None: show what the run measured."),
    ] = None,
    per_user: Annotated[
        Path | None,
        typer.Option(
            "--per-user", metavar="FILE", help="Write a line a person here, .parquet or .csv; measures the test rows."
        ),
    ] = None,
    json: Json = None,
) -> None:
    """Print the metrics per client and overall, of a run."""
    from fedrec.console.json_output import write_result
    from fedrec.console.progress import working

    anew = split is not None or per_user is not None
    with working(f"{'measuring' if anew else 'reading'} {one_run(folder, run) or 'the newest run'}"):
        from server.run import find_run_or_model

        path = find_run_or_model(one_run(folder, run))
        if anew:
            from server.evaluate_split import evaluate_split

            result = evaluate_split(path, split or "test", per_user)
        else:
            result = _shown(path)
    write_result(result, json)
    if json != "-":
        from fedrec.console.terminal import terminal

        if anew:
            from fedrec.reporting.split_console import print_split

            print_split(terminal(), result)
        else:
            from fedrec.reporting.run_console import print_results

            print_results(terminal(), result)


def _shown(path: Path) -> dict[str, Any]:
    """What the run or model measured itself."""
    from server.freshness import check_shown
    from server.run import Run as Opened
    from unlearning.central.model_folder import is_model

    if is_model(path):
        from unlearning.central.freshness import check_current
        from unlearning.central.model_folder import ModelFolder

        check_current(model := ModelFolder(path))
        return model.result
    check_shown(opened := Opened(path))
    return opened.result
