"""Options that several commands have: each is written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedrec.errors import UsageError

Run = Annotated[Path | None, typer.Option("--run", help="The run. None: the newest under runs/.")]
RunFolder = Annotated[
    Path | None, typer.Argument(metavar="[RUN]", help="The run, as --run has it. None: the newest under runs/.")
]
Data = Annotated[str | None, typer.Option(help="Data set: file or folder. None: a generated world of films.")]
Format = Annotated[str | None, typer.Option("--format", help="Name of the format; left out = recognised.")]
LikeAbove = Annotated[float | None, typer.Option(help="A rating above this is a like.")]
SkipBadRows = Annotated[bool, typer.Option("--skip-bad-rows", help="Drop bad rows and count them.")]
Base = Annotated[str | None, typer.Option(help="Base model: Hugging Face id or folder. None: the embedded Llama.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="section.key=value, over everything else.")]
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
