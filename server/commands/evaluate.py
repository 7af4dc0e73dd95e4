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
    if per_user is not None:
        _check_table(per_user)
    with working(f"{'measuring' if anew else 'reading'} {one_run(folder, run) or 'the newest run'}"):
        from server.run import find_run_or_model

        path = find_run_or_model(one_run(folder, run))
        result = _measured(path, split or "test", per_user) if anew else _shown(path)
    write_result(result, json)
    if json != "-":
        from fedrec.console.terminal import terminal

        if anew:
            from fedrec.reporting.split_console import print_split

            print_split(terminal(), result)
        else:
            from fedrec.reporting.run_console import print_results

            print_results(terminal(), result)


def _check_table(path: Path) -> None:
    """UsageError where no table can be written there."""
    from fedrec.errors import UsageError

    if path.suffix not in (".parquet", ".csv"):
        raise UsageError(f"--per-user {path}: name a file that ends in .parquet or .csv")
    if not path.parent.is_dir():
        raise UsageError(f"--per-user {path}: there is no folder {path.parent}; make it first")


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


def _measured(path: Path, split: str, table: Path | None) -> dict[str, Any]:
    """What is measured now on a split."""
    from fedrec.data.dataset import SPLITS
    from fedrec.ensemble.evaluation import per_user, summary
    from fedrec.errors import FedrecError
    from fedrec.tasks import task_of
    from unlearning.central.model_folder import ModelFolder, is_model

    number = SPLITS.index(split)
    if is_model(path):
        from unlearning.central.evaluate_split import evaluate_split

        config, parts = ModelFolder(path).config, evaluate_split(ModelFolder(path), number)
    else:
        from server.freshness import check_current
        from server.simulated_run import open_run

        check_current(opened := open_run(path))
        config, parts = opened.config, opened.evaluate(number)
    if not any(len(part.scored) for part in parts):
        raise FedrecError(f"{path}: there are no {split} rows to measure on")
    if table is not None:
        lines = per_user(parts)
        if table.suffix == ".csv":
            lines.to_csv(table, index=False)
        else:
            lines.to_parquet(table, index=False)
    return {"run": path.name, "split": split, **summary(parts, task_of(config))}
