"""The `fedrec` command: a table of names and the modules that serve them, imported when used."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

import click

from fedrec.console.progress import patience_from_here, say
from fedrec.console.visible import visible
from fedrec.errors import FedrecError, Interrupted, did_you_mean, os_fault
from fedrec.file_owner import for_owner_only
from fedrec.registry import attribute

COMMANDS = {
    "simulate": ("server.commands.simulate:simulate", "Federated rounds on this machine: the main job."),
    "data": ("fedrec.commands.data:app", "What is in a data set."),
    "client": ("clients.commands.client:app", "A client's home: who it is, what may leave it."),
    "vault": ("clients.commands.vault:app", "A client's private data: keep, erase, back up."),
    "base": ("fedrec.commands.base:app", "The base model: build the embedded one, or look at any."),
    "recommend": ("server.commands.recommend:recommend", "The best unseen items for one user."),
    "evaluate": ("server.commands.evaluate:evaluate", "A run's metrics, per client and overall."),
    "export": ("server.commands.export:export", "A client's adapter with base and tokenizer, for PEFT."),
    "forget": ("server.commands.forget:app", '"Delete me": from the request to the certificate.'),
    "deploy": ("fedrec.commands.deploy:app", "Real processes: keys, a server, clients."),
    "attack": ("server.commands.attack:app", "What could be learnt from a run, and done to it."),
    "unlearn": ("unlearning.commands.unlearn:app", "Sharded models; methods of unlearning side by side."),
    "settings": ("fedrec.commands.settings:settings", "Every setting, its default and what it means."),
    "completion": ("fedrec.commands.completion:completion", "Completion of commands and options in your shell."),
    "report": ("server.commands.report:report", "A run as one self-contained page."),
}


_SOON = 0.5  # seconds in which a stop is not worth a word
_stopped_by: list[int] = [signal.SIGINT]


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            if not ctx.resilient_parsing and not cmd_name.startswith("-"):
                ctx.fail(f"No such command '{cmd_name}'{did_you_mean(cmd_name, COMMANDS)}")
            return None
        import typer

        served = attribute(COMMANDS[cmd_name][0])
        if not isinstance(served, typer.Typer):
            single = typer.Typer(add_completion=False)
            single.command(cmd_name)(served)
            served = single
        command = typer.main.get_command(served)
        if isinstance(command, typer.core.TyperGroup):
            command.suggest_commands = False  # click does it too
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fedrec")
def cli() -> None:
    """A federated LLM recommender that can forget."""


def main() -> None:
    """Exit 0 on success, 1 on failure, 2 on wrong use, 3 where a signer is unknown, 130 on Ctrl-C, 143 on SIGTERM.

    A failure is one line on standard error that names the mend.
    """
    for_owner_only()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # not every terminal has every character
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell has it ignored in the background
        signal.signal(signal.SIGINT, _stop)
    try:
        with patience_from_here():
            cli.main(prog_name="fedrec", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _fail(_with_help(error), error.exit_code)
    except Interrupted as error:
        _leave(str(error))
    except FedrecError as error:
        _fail(str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _leave("stopped; the same command again begins anew, or goes on where it can")
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        _fail(os_fault(error), 1)


def _stop(number: int, _: object) -> NoReturn:
    """Interrupt; say so where the end of what is at work is not there soon."""
    _stopped_by.append(number)
    telling = threading.Timer(_SOON, say, ("fedrec: stopping",))
    telling.daemon = True
    telling.start()
    raise KeyboardInterrupt


def _fail(message: str, code: int) -> NoReturn:
    print("fedrec:", visible(" ".join(message.split())), file=sys.stderr)
    sys.exit(code)


def _leave(message: str) -> NoReturn:
    """Exit at once: what counts is on disk, and threads of other libraries may wait for ever for what was stopped."""
    print(f"fedrec: {visible(message)}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(128 + _stopped_by[-1])


def _with_help(error: click.ClickException) -> str:
    """What click says is wrong, and where to read what is right."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else _called(sys.argv[1:])
    message = error.format_message().replace(" (env var: 'None')", "").rstrip(".")  # typer 0.20 names a missing one
    return f"{message}; see `{path} --help`"


def _called(words: Sequence[str]) -> str:
    """The command that some words name, where click does not say: it leaves an option without its value to nobody."""
    command: click.Command = cli
    path = ["fedrec"]
    for word in words:
        if isinstance(command, click.Group):
            found = command.get_command(click.Context(command, resilient_parsing=True), word)
            command, path = (found, [*path, word]) if found else (command, path)
    return " ".join(path)


if __name__ == "__main__":
    main()
