"""`fedrec completion`: the script that completes commands and options in a shell."""

from __future__ import annotations

from typing import Annotated

import click
import typer
from click.shell_completion import BashComplete, FishComplete, ZshComplete

_SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}  # click's own: Typer replaces the registered


def completion(
    shell: Annotated[str, typer.Argument(click_type=click.Choice(list(_SHELLS)), help="Your shell.")] = "bash",
) -> None:
    """Print a script for SHELL: `eval "$(fedrec completion bash)"` goes in ~/.bashrc, or zsh in ~/.zshrc."""
    from fedrec.cli import cli

    typer.echo(_SHELLS[shell](cli, {}, "fedrec", "_FEDREC_COMPLETE").source())
