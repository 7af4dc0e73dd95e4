"""Options that several commands have: each is written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fedrec.errors import UsageError

Run = Annotated[Path | None, typer.Option("--run", help="The run. None: the newest under runs/.")]
RunFolder = Annotated[
    Path | None, typer.Argument(metavar="[RUN]", help="The run, as --run has it. None: the newest under runs/.")
]
Data = Annotated[str | None, typer.Option(help="Data set: file or folder. None: a generated world of films.")]
Format = Annotated[str | None, typer.Option("--format", help="Name of the format; left out = recognised.")]
Items = Annotated[str | None, typer.Option(help="File of item ids and titles; left out = items.* beside the data.")]
LikeAbove = Annotated[float | None, typer.Option(help="A rating above this is a like.")]
SkipBadRows = Annotated[bool, typer.Option("--skip-bad-rows", help="Drop bad rows and count them.")]
Base = Annotated[str | None, typer.Option(help="Base model: Hugging Face id or folder. None: the embedded Llama.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="section.key=value, over everything else.")]
Workers = Annotated[
    str,
    typer.Option(
        envvar="FEDREC_WORKERS", metavar="N|auto",
        help="Processes side by side; 0: none but this one; auto: as many as there are cores for.",
    ),
]  # fmt: skip
Json = Annotated[
    str | None, typer.Option("--json", metavar="FILE|-", help="Write the result here as JSON; - is standard output.")
]


def one_run(folder: Path | None, option: Path | None) -> Path | None:
    """The run that is named as RUN or by --run.

    Raises:
        UsageError: both are given, and differ.
    """
    if folder is not None and option is not None and folder != option:
        raise UsageError(f"{folder} and --run {option}: name one run")
    return folder or option


def reading(
    data: str | None, form: str | None, items: str | None, like_above: float | None, skip_bad_rows: bool
) -> dict[str, Any]:
    """The settings that the options of reading a data set stand for; every command that reads one has them all."""
    given = {
        "data.path": data,
        "data.format": form,
        "data.items.path": items,
        "data.like_above": like_above,
        "data.skip_bad_rows": skip_bad_rows or None,
    }
    return {key: value for key, value in given.items() if value is not None}
