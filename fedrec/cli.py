"""The `fedrec` command: a table of names and the modules that serve them, imported when used."""

from __future__ import annotations

import importlib
import sys

import click

from fedrec.errors import FedrecError

COMMANDS = {
    "simulate": ("server.commands:simulate", "Federated rounds on this machine: the main job."),
    "data": ("fedrec.data.commands:app", "What is in a data set."),
    "base": ("fedrec.models.commands:app", "The base model: build the embedded one, or look at any."),
    "recommend": ("fedrec.recommend_commands:recommend", "The best unseen items for one user."),
    "evaluate": ("fedrec.report_commands:evaluate", "A run's metrics, per client and overall."),
    "report": ("fedrec.report_commands:report", "A run as one self-contained page."),
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        import typer

        module, _, name = COMMANDS[cmd_name][0].partition(":")
        served = getattr(importlib.import_module(module), name)
        if not isinstance(served, typer.Typer):
            single = typer.Typer(add_completion=False)
            single.command(cmd_name)(served)
            served = single
        return typer.main.get_command(served)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fedrec")
def cli() -> None:
    """A federated LLM recommender that can forget."""


def main() -> None:
    """Exit 0 on success, 1 on failure, 2 on wrong use, 130 on Ctrl-C; a failure is one line that names the mend."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except FedrecError as error:
        print(f"fedrec: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        print("fedrec: stopped; a run continues with `fedrec simulate --resume RUN`", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()


if __name__ == "__main__":
    main()
