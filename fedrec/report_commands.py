"""`fedrec report` and `fedrec evaluate`: show again what a finished run measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fedrec.summary import Result

app = typer.Typer(help="Show what a finished run measured.")


@app.command()
def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", help="the run, then others to set beside it; left out = the newest"),
    ] = None,
) -> None:
    """Write a run's page, report.html, again: of the run in folder RUN, or the newest; more RUNs appear beside it."""
    from fedrec.report import write_report
    from fedrec.store import open_run
    from fedrec.summary import beside

    first, *others = [open_run(path).folder for path in runs] if runs else [open_run().folder]
    result = beside(_result(first), [_result(folder) for folder in others])
    page = first / "report.html"
    write_report(result, page)
    typer.echo(page)


@app.command()
def evaluate(
    run: Annotated[Path | None, typer.Argument(help="the run's folder; left out = the newest under runs/")] = None,
    json_: Annotated[
        str | None,
        typer.Option(
            "--json", metavar="FILE|-", help="the result as JSON; - = on standard output, instead of the table"
        ),
    ] = None,
) -> None:
    """Print the metrics per client and overall, of the run in folder RUN, or the newest under runs/."""
    from fedrec.output import write_result
    from fedrec.store import open_run

    result = _result(open_run(run).folder)
    write_result(result, json_)
    if json_ != "-":
        from rich.console import Console

        from fedrec.tables import results_table

        Console().print(results_table(result))


def _result(folder: Path) -> Result:
    """
    Raises:
        FedrecError: the run is not finished, or its result is broken.
    """
    from fedrec.errors import FedrecError
    from fedrec.files import read_json

    path, again = folder / "result.json", f"`fedrec simulate --resume {folder}`"
    if not path.exists():
        raise FedrecError(f"{path}: not there yet; finish the run with {again}")
    try:
        result: Result = read_json(path)
        result["overall"], result["clients"], result["history"]
    except (FedrecError, KeyError, TypeError):
        raise FedrecError(f"{path}: not a run's result; {again} writes it again") from None
    return result
