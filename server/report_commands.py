"""`fedrec report`: the page of a finished run, with its erasure requests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from server.forget.options import Database


def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", help="the run, then others to set beside it; left out = the newest"),
    ] = None,
    database: Database = None,
) -> None:
    """Write a run's page, report.html, again: of the run in folder RUN, or the newest; more RUNs appear beside it."""
    from fedrec.report import write_report
    from fedrec.store import open_run
    from fedrec.summary import beside
    from server.forget.record import erasures

    first, *others = [open_run(path) for path in runs] if runs else [open_run()]
    result = beside(first.result, [other.result for other in others])
    page = first.folder / "report.html"
    write_report(result, page, erasures(first, database))
    typer.echo(page)
