"""Whether a baseline may stand beside its run: if nothing of it is of before an erasure; decided here alone.

Otherwise it is removed whole, because to train it again is always possible.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from fedrec.errors import FedrecError, command
from fedrec.protocol.adapters import digest_of
from server.integrity.figures import stale_entries
from server.rounds import MODELS, UNFINISHED
from server.run import BASELINES, Run

if TYPE_CHECKING:
    from server.simulated_run import SimulatedRun

Found = Iterator[tuple[Path, str]]


def unfit_baselines(run: SimulatedRun) -> Found:
    """The folders of the baselines that may not stand, each with why: a file of it that is of before an erasure."""
    there = {baseline.folder: baseline for baseline in run.baselines}
    for folder in sorted((run.folder / BASELINES).glob("*")):
        baseline = there.get(folder)
        if folder.is_dir() and (why := _why_not(baseline) if baseline else "no whole baseline"):
            yield folder, why
    for name, id in run.strays():
        yield run.homes[name].run_folder(id), "of no baseline that is here"


def remove_unfit_baselines(run: SimulatedRun) -> list[str]:
    """Remove the baselines that may not stand; a line for each, with why."""
    found = list(unfit_baselines(run))
    run.leave_baselines([folder.name for folder, _ in found])
    for folder, _ in found:
        shutil.rmtree(folder, ignore_errors=True)  # of which there was no whole one
    run.leave_strays()
    again = f"{command('simulate --resume', run.folder)} trains it again"
    return [f"{folder}: {why}, as if an old copy had been put back: removed; {again}" for folder, why in found]


def check_baseline(baseline: SimulatedRun) -> None:
    """
    Raises:
        FedrecError: it may not stand: nothing may answer from it.
    """
    for folder, why in unfit_baselines(baseline.main):
        if folder == baseline.folder:
            raise FedrecError(_line(baseline.main, folder, why))


def warnings_of(run: SimulatedRun) -> list[str]:
    """A line for each baseline that may not stand."""
    return [_line(run, folder, why) for folder, why in unfit_baselines(run)]


def _line(run: SimulatedRun, folder: Path, why: str) -> str:
    return f"{folder}: {why}, as if an old copy had been put back; {removal(run)}"


def removal(run: SimulatedRun) -> str:
    train = command("simulate --resume", run.folder)
    return f"{command('forget run --run', run.folder)} removes it, and {train} trains it again"


def _why_not(baseline: SimulatedRun) -> str | None:
    try:
        found = next(_of_baseline(baseline), None)
    except FedrecError:
        return "cannot be read"
    return found and f"{within(baseline.main, found[0])}: {found[1]}"


def _of_baseline(baseline: SimulatedRun) -> Found:
    last = baseline.rounds.last()
    if baseline.pools:
        for path in sorted((baseline.homes[baseline.clients[0]].folder / "runs").glob("*")):
            if path.name != baseline.id:
                yield path, "of no baseline that is here"
    for name in baseline.clients:
        store = baseline.client(name)
        if last is not None and store.ensemble.entries is None:
            yield store.folder, "serves nothing"
        done = last == baseline.config.federation.rounds  # before it may have got what it does not serve yet
        for file, why in (*store.ensemble.misleading(), *(store.unused() if done else ())):
            yield store.folder / file, why
    yield from leftover_rounds(baseline)
    if last is not None:
        yield from _other_models(baseline, last)
        yield from stale_entries(baseline)


def leftover_rounds(run: Run) -> Found:
    """Models of older rounds than the last, and answers that waited for the end of one that is done."""
    last = run.rounds.last()
    for path in run.rounds.older_models():
        yield path, "of a round that is not the last"
    if last == run.config.federation.rounds:
        for path in sorted(run.rounds.folder.glob(f"*{UNFINISHED}")):
            yield path, "of a round that is done"


def _other_models(baseline: SimulatedRun, last: int) -> Found:
    """The models of the last round, where a client has another one of that round."""
    path = baseline.rounds.path(last, MODELS)
    try:
        models = baseline.rounds.models(last)
    except (OSError, SafetensorError, ValueError):
        yield path, "cannot be read"
        return
    for name in baseline.clients:
        sent = baseline.client(name).published(last)
        if sent is not None and [*map(digest_of, sent)] != [*map(digest_of, models.get(name, []))]:
            yield path, f"another model than client {name} was sent"


def within(run: SimulatedRun, path: Path) -> str:
    """A path as it is called in a run's folder."""
    return str(path.relative_to(run.folder)) if path.is_relative_to(run.folder) else str(path)
