"""`fedrec completion`: the script that completes commands and options in a shell."""

from __future__ import annotations

from typing import Annotated

import click
import typer


def completion(
    shell: Annotated[
        str, typer.Argument(click_type=click.Choice(["bash", "zsh", "fish"]), help="Your shell.")
    ] = "bash",
) -> None:
    """Print a script for SHELL: `eval "$(fedrec completion bash)"` in ~/.bashrc or, with zsh for bash, in ~/.zshrc."""
    from click.shell_completion import get_completion_class

    from fedrec.cli import cli

    found = get_completion_class(shell)
    assert found is not None  # one of the choices
    typer.echo(found(cli, {}, "fedrec", "_FEDREC_COMPLETE").source())
