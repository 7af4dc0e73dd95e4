"""What a run has of before an erasure, as if an old copy had been put back: each file, with why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fedrec.errors import command
from server.integrity.altered import altered
from server.integrity.baselines import leftover_rounds, removal, unfit_baselines, within
from server.integrity.figures import stale_figures, stale_pages
from server.integrity.retraining import models_path, stale_in_rounds
from unlearning.certificates.claims import NOTHING_FOUND
from unlearning.requests.reader import Reader
from unlearning.requests.states import State
from unlearning.workflow.newest_erasure import LACKS, differ, lacks, published

if TYPE_CHECKING:
    from server.run import Run
    from server.simulated_run import SimulatedRun

Found = Iterator[tuple[Path, str]]


def stale_files(run: SimulatedRun, ledger: Reader) -> Iterator[tuple[str, str]]:
    """Files of a run that hold, or serve, what is of before an erasure; each with why, and what puts that right."""
    for path, why in altered(run):
        yield within(run, path), why
    again = f"{command('forget run --run', run.folder)} puts that right"
    for path, why in _of_run(run, ledger):
        yield within(run, path), f"{why}; {again}"
    for path, why in _waiting(run, ledger):
        yield within(run, path), f"{why}; remove it"
    for folder, why in unfit_baselines(run):
        yield within(run, folder), f"{why}; {removal(run)}"


def stale_on_server(run: Run, ledger: Reader) -> Iterator[tuple[str, str]]:
    """The same of what the server has, where the clients' homes are not on this machine."""
    again = f"{command('forget run --run', run.folder)} puts that right"
    for path, why in (*_rounds(run, ledger), *leftover_rounds(run), *_pages(run, ledger)):
        yield str(path.relative_to(run.folder)), f"{why}; {again}"


def _rounds(run: Run, ledger: Reader) -> Found:
    for shard, request in stale_in_rounds(run, published(run, ledger)).items():
        yield models_path(run), f"shard {shard} is of before erasure {request}"


def _pages(run: Run, ledger: Reader) -> Found:
    if not ledger.under_way() and erased(ledger):
        yield from stale_pages(run)


def _of_run(run: SimulatedRun, ledger: Reader) -> Found:
    newest, quiet = published(run, ledger), not ledger.under_way()
    for name in lacking(run, ledger):
        yield run.homes[name].vault_path, LACKS
    yield from _rounds(run, ledger)
    for name in run.clients:
        store = run.client(name)
        for shard, request in differ(newest, {name: store.known_to_server()}).items():
            yield store.folder, f"serves shard {shard} of before erasure {request}"
        if store.home.has_vault:
            for file, why in (*store.ensemble.misleading(), *(store.unused() if quiet else ())):
                yield store.folder / file, why
    yield from leftover_rounds(run)
    if quiet and erased(ledger):
        yield from stale_figures(run)
    yield from _pages(run, ledger)


def lacking(run: SimulatedRun, ledger: Reader) -> Iterator[str]:
    """The clients here whose vaults lack erasures that they had done, or their tombstones."""
    for name, end in ledger.chain_ends().items():
        home = run.homes.get(name)
        if home is not None and home.has_vault and lacks(home.vault, end):
            yield name


def _waiting(run: SimulatedRun, ledger: Reader) -> Found:
    """What was kept of rows until a verification that is long done, or of a training that is."""
    closed = {request.id for request in ledger.list(State.CLOSED)}
    for path in sorted((run.folder / "clients").glob("*/runs/*/held/*")):
        if path.stem in closed:
            yield path, "rows that waited for a verification that is done"
    if not ledger.under_way() and run.rounds.last() == run.config.federation.rounds:
        for path in sorted((run.folder / "clients").glob("*/runs/*/training/*")):
            yield path, "of a training that is done"


def erased(ledger: Reader) -> bool:
    """Whether any request was carried out for which rows were found."""
    return any((request.plan or {}).get("claim") != NOTHING_FOUND for request in ledger.list(State.CLOSED))
