"""`fedrec settings`: every setting with its default and its meaning, as `--set` and a configuration file take them."""

from __future__ import annotations

from typing import Annotated

import typer

from fedrec.errors import UsageError, did_you_mean
from fedrec.options import Json


def settings(
    only: Annotated[str | None, typer.Argument(help="A setting or a section, for example train.")] = None,
    json: Json = None,
) -> None:
    """Every setting, or those of ONE section: change one with --set KEY=VALUE, several with a file by --config."""
    from rich.text import Text

    from fedrec.config import run_section
    from fedrec.console.json_output import write_result
    from fedrec.console.terminal import terminal
    from fedrec.settings import all_settings, known_keys

    sections = run_section()
    found = list(all_settings(sections))
    if only is not None:
        chosen = [each for each in found if each.key == only or each.key.startswith(f"{only}.")]
        if not chosen:
            raise UsageError(
                f"{only}: no such setting{did_you_mean(only, known_keys(sections))}; `fedrec settings` shows all"
            )
        found = chosen
    write_result({"settings": [each._asdict() for each in found]}, json)
    if json == "-":
        return
    console = terminal()
    for each in found:
        console.print(Text.assemble((each.key, "bold"), f" = {each.default}"), soft_wrap=True)
        console.print(Text(f"    {each.meaning}" + (f"; {each.kind}" if "|" in each.kind else "")), soft_wrap=True)
