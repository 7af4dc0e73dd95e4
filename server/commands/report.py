"""`fedrec report`: the page of a finished run with its erasure requests, or of a comparison of methods."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from fedrec.errors import UsageError
from fedrec.options import Run
from unlearning.commands.forget.arguments import Database


def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", help="The run, then others to set beside it. None: the newest under runs/."),
    ] = None,
    run: Run = None,
    database: Database = None,
) -> None:
    """Write a run's page, report.html, again; more RUNs appear beside it. Or that of a folder of `unlearn compare`."""
    from fedrec.console.progress import working
    from fedrec.console.visible import visible

    with working("writing the page"):
        page = _write(runs, run, database)
    typer.echo(visible(str(page)))


def _of_model(folder: Path, database: str | None) -> Path:
    from fedrec.lock import only_writer
    from unlearning.central.evaluation import write_page
    from unlearning.central.freshness import check_current
    from unlearning.central.model_folder import ModelFolder

    check_current(model := ModelFolder(folder))
    with only_writer(folder):
        return write_page(model, database)


def _write(runs: list[Path] | None, run: Path | None, database: str | None) -> Path:
    """The page that was asked for, written; where it is."""
    from fedrec.lock import only_writer
    from fedrec.reporting.run_page import write_report
    from fedrec.reporting.run_result import beside
    from server.attack_results import found
    from server.freshness import check_shown
    from server.run import find_run_or_model
    from server.simulated_run import open_run
    from unlearning.central.model_folder import is_model
    from unlearning.comparison.plan import is_comparison
    from unlearning.comparison.run import show_again
    from unlearning.workflow.erasures import erasures

    folders = [path for path in (run, *(runs or ())) if path is not None] or [find_run_or_model()]
    alone: dict[str, tuple[Callable[[Path], bool], Callable[[Path], Path]]] = {
        "comparison of methods": (is_comparison, show_again),
        "sharded model": (is_model, lambda folder: _of_model(folder, database)),
    }
    for what, (is_one, show) in alone.items():
        if any(map(is_one, folders)):
            if len(folders) > 1:
                raise UsageError(f"{' '.join(map(str, folders))}: a {what} is shown alone; name one folder")
            return show(folders[0])
    first, *others = map(open_run, folders)
    for each in (first, *others):
        check_shown(each, database)
    result = beside(first.result, [other.result for other in others])
    page = first.folder / "report.html"
    with only_writer(first.folder):
        write_report(result, page, erasures(first, database), found(first))
    return page
