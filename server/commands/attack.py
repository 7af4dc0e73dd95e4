"""`fedrec attack`: what each party could learn from a run, and do to it, measured on a finished run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fedrec.options import Json, Run, RunFolder, one_run

if TYPE_CHECKING:
    from fedrec.privacy.attacks.finding import Report
    from server.simulated_run import SimulatedRun

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="What could be learnt from a finished run, and done to it."
)


@app.callback()
def attack() -> None:
    """One command an attack."""


@app.command()
def titles(folder: RunFolder = None, run: Run = None, json: Json = None) -> None:
    """Which titles a client's people met, from what it sends and from what is published."""

    def attack(opened: SimulatedRun) -> Report:
        from server.attacks.titles import titles as attacked

        return attacked(opened)

    _carry_out(attack, one_run(folder, run), json)


def _carry_out(attack: Callable[[SimulatedRun], Report], path: Path | None, json: str | None) -> None:
    """Attack a run, keep what is found with it, and tell of it; nothing is kept of an attack that is stopped."""
    from fedrec.console.json_output import write_result
    from fedrec.console.progress import working
    from fedrec.lock import only_writer

    with working(f"reading {path or 'the newest run'}"):
        from server.attacks.kept import keep
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
