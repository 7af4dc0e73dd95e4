"""`fedrec attack`: what each party could learn from a run, and do to it, measured on a finished run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedrec.errors import UsageError
from fedrec.options import Json, Run, RunFolder, one_run

if TYPE_CHECKING:
    from fedrec.privacy.attacks.finding import Report
    from server.simulated_run import SimulatedRun

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="What could be learnt from a finished run, and done to it."
)

Client = Annotated[str | None, typer.Option(help="Which client. None: the one with the most people.")]
Models = Annotated[int, typer.Option(help="How often it is trained again; each person is in half of them.", min=4)]


@app.command()
def titles(folder: RunFolder = None, run: Run = None, json: Json = None) -> None:
    """Which titles a client's people met, from what it sends and from what is published."""

    def attack(opened: SimulatedRun) -> Report:
        from server.attacks.titles import titles as attacked

        return attacked(opened)

    _carry_out(attack, one_run(folder, run), json)


@app.command()
def people(
    folder: RunFolder = None, run: Run = None, client: Client = None, models: Models = 8, json: Json = None
) -> None:
    """Whose rows an adapter was trained on, of single updates and of what is released."""

    def attack(opened: SimulatedRun) -> Report:
        from server.attacks.people import people as attacked
        from server.attacks.target import client_of

        return attacked(opened, client_of(opened, client), _even(models))

    _carry_out(attack, one_run(folder, run), json)


@app.command()
def canaries(
    folder: RunFolder = None,
    run: Run = None,
    client: Client = None,
    models: Models = 8,
    count: Annotated[int, typer.Option("--canaries", help="Made-up people, each in half the models.", min=2)] = 32,
    delta: Annotated[
        float | None, typer.Option(help="At which epsilon is bounded. None: the run's, or 1e-5.", min=0, max=0.5)
    ] = None,
    json: Json = None,
) -> None:
    """Epsilon from below: how surely made-up people in a client's training are told from others."""

    def attack(opened: SimulatedRun) -> Report:
        from server.attacks.canaries import canaries as attacked
        from server.attacks.target import client_of

        return attacked(opened, client_of(opened, client), _even(models), count, delta)

    _carry_out(attack, one_run(folder, run), json)


@app.command()
def row(folder: RunFolder = None, run: Run = None, client: Client = None, json: Json = None) -> None:
    """One client that pushes one item by its row: what is let through, and how far the item rises."""

    def attack(opened: SimulatedRun) -> Report:
        from server.attacks.row import row as attacked
        from server.attacks.target import client_of

        return attacked(opened, client_of(opened, client))

    _carry_out(attack, one_run(folder, run), json)


@app.command()
def wording(folder: RunFolder = None, run: Run = None, json: Json = None) -> None:
    """Titles that are written to be recommended: how far an item rises by its title's words, and what undoes it."""

    def attack(opened: SimulatedRun) -> Report:
        from server.attacks.wording import wording as attacked

        return attacked(opened)

    _carry_out(attack, one_run(folder, run), json)


def _even(models: int) -> int:
    if models % 2:
        raise UsageError(f"--models {models}: an even number, as each person is in half of them")
    return models


def _carry_out(attack: Callable[[SimulatedRun], Report], path: Path | None, json: str | None) -> None:
    """Attack a run, keep what is found with it, and tell of it; nothing is kept of an attack that is stopped."""
    from fedrec.console.json_output import write_result
    from fedrec.console.progress import working
    from fedrec.lock import only_writer

    with working(f"reading {path or 'the newest run'}"):
        from server.attack_results import keep
        from server.attacks.target import target
        from server.results import write_page

        opened = target(path)
    with only_writer(opened.folder):
        report = attack(opened)
        keep(opened, report)
        write_page(opened)
    write_result(report.content(), json)
    if json != "-":
        from fedrec.console.terminal import terminal
        from fedrec.reporting.attack_console import print_attack

        print_attack(terminal(), report)
