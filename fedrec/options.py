"""Options that several commands have: each is written once."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from fedrec.errors import UsageError

DAY = 86_400
Named = TypeVar("Named", str, Path)
_YEARS = range(1970, 2100)
RUNS = Path("runs")  # where commands make new ones, and find the newest


@dataclass(frozen=True)
class StandsFor:
    """In an option's annotation: the setting of the configuration that it stands for."""

    key: str


def _writable(target: str | None) -> str | None:
    from fedrec.console.json_output import checked_target

    return checked_target(target)


Run = Annotated[Path | None, typer.Option("--run", help="The run. None: the newest under runs/.")]
RunFolder = Annotated[
    Path | None, typer.Argument(metavar="[RUN]", help="The run, as --run has it. None: the newest under runs/.")
]
Data = Annotated[
    str | None, typer.Option(help="Data set: file or folder. None: a generated world of films."), StandsFor("data.path")
]
Format = Annotated[
    str | None, typer.Option("--format", help="Name of the format; left out = recognised."), StandsFor("data.format")
]
Items = Annotated[
    str | None,
    typer.Option(help="File of item ids and titles; left out = items.* beside the data."),
    StandsFor("data.items.path"),
]
LikeAbove = Annotated[float | None, typer.Option(help="A rating above this is a like."), StandsFor("data.like_above")]
SkipBadRows = Annotated[
    bool, typer.Option("--skip-bad-rows", help="Drop bad rows and count them."), StandsFor("data.skip_bad_rows")
]
Base = Annotated[
    str | None, typer.Option(help="Base model: Hugging Face id or folder. None: the embedded Llama."), StandsFor("base")
]
Set = Annotated[list[str] | None, typer.Option("--set", help="section.key=value, over everything else.")]
Workers = Annotated[
    str,
    typer.Option(
        envvar="FEDREC_WORKERS", metavar="N|auto",
        help="Processes side by side; 0: none but this one; auto: as many as there are cores for.",
    ),
]  # fmt: skip
Config = Annotated[Path | None, typer.Option(help="Configuration, TOML.")]
Replace = Annotated[bool, typer.Option("--replace", help="Throw away what --out holds.")]
Seed = Annotated[int | None, typer.Option(help="Seed of everything random.", show_default="42"), StandsFor("seed")]
Json = Annotated[
    str | None,
    typer.Option(
        "--json", metavar="FILE|-", callback=_writable, help="Write the result here as JSON; - is standard output."
    ),
]


def first_second(option: str, text: str) -> int:
    """The first second, UTC, since 1970, of a day as people type it: ASCII digits, YYYY-MM-DD, from `_YEARS`.

    Raises:
        UsageError: it is no such day.
    """
    try:
        day = datetime.strptime(text if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else "", "%Y-%m-%d")
    except ValueError:
        raise UsageError(f"{option} {ascii(text)[1:-1]}: write a day as 2026-01-31") from None
    if day.year not in _YEARS:
        raise UsageError(f"{option} {text}: no day between {_YEARS[0]} and {_YEARS[-1]}; mend the year")
    return int(day.replace(tzinfo=UTC).timestamp())


def new_folder(given: Path | None, name: str) -> Path:
    """Where something new goes: the folder that is given, or one under runs/ with the time and a name."""
    return given or RUNS / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"


def one_run(folder: Path | None, option: Path | None) -> Path | None:
    """The run that is named as RUN or by --run; errors as of `one_of`."""
    return one_of(folder, option, "--run")


def one_of(argument: Named | None, option: Named | None, name: str) -> Named | None:
    """What is named by an argument or by the option of this name.

    Raises:
        UsageError: both are given, and differ.
    """
    if argument is not None and option is not None and argument != option:
        raise UsageError(f"{argument} and {name} {option}: give one of the two")
    return argument if option is None else option


def given(command: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a command was given by its options: dotted key → value, as `config.load` takes them.

    Args:
        command: the options with a `StandsFor` stand in its signature.
        values: its arguments by name, such as `locals()`; None, and a flag that is off, say nothing.
    """
    keys = {
        name: extra.key
        for name, hint in get_type_hints(command, include_extras=True).items()
        for extra in getattr(hint, "__metadata__", ())
        if isinstance(extra, StandsFor)
    }
    return {key: values[name] for name, key in keys.items() if values[name] is not None and values[name] is not False}
