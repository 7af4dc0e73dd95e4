"""What a home serves, where it is asked on its own machine."""

from __future__ import annotations

from pathlib import Path

from clients.client_run import ClientRun
from clients.home import open_home
from fedrec.errors import FedrecError, UsageError


def newest_run(folder: Path, id: str | None = None) -> ClientRun:
    """A run of a home.

    Args:
        id: which; None = the one whose adapters were served last.

    Raises:
        FedrecError: there is no such home.
        UsageError: it serves no such run.
    """
    home = open_home(folder)
    found = sorted((home.folder / "runs").glob("*/manifest.json"), key=lambda path: path.stat().st_mtime)
    there = {path.parent.name: path for path in found}
    if id is not None and id not in there:
        raise UsageError(f"--run {id}: {folder} serves {', '.join(there) or 'nothing'}")
    if not there:
        raise UsageError(f"{folder}: it serves nothing yet; it does after a run that it takes part in")
    return ClientRun(home, [*there][-1] if id is None else id)


def check_serving(run: ClientRun) -> None:
    """
    Raises:
        FedrecError: it would serve what was withdrawn, or its server has not confirmed it for too long.
    """
    run.ensemble.hashes()
    if why := run.ensemble.keeper.lapsed():
        raise FedrecError(f"client {run.name}: {why}")
