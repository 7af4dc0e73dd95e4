"""What a run was prepared over, where something else stands in its place now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fedrec.errors import FedrecError

if TYPE_CHECKING:
    from server.simulated_run import SimulatedRun


def altered(run: SimulatedRun) -> Iterator[tuple[Path, str]]:
    """Files of the run, and of its clients, that are not what it was prepared over; each with why."""
    for path, read in _read_by(run):
        try:
            read()
        except FedrecError as refused:
            yield path, str(refused).removeprefix(f"{path}: ")


def _read_by(run: SimulatedRun) -> Iterator[tuple[Path, Callable[[], object]]]:
    """What is pinned, and how it is read."""
    from fedrec.base_models.recorded import RECORD, find_base

    yield run.folder / "catalogue.json", lambda: run.catalogue
    yield run.folder / "initial", lambda: run.initial
    yield run.folder / RECORD, lambda: find_base(run.folder, run.config, run.catalogue)
    for name in run.clients:
        store = run.client(name)
        if store.folder.exists():
            yield store.folder / "catalogue.json", partial(getattr, store, "catalogue")
