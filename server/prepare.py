"""From a configuration to a run ready for its first round: data split over clients, base model, first adapter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedrec.base_models.recorded import find_base
from fedrec.config import RunConfig
from fedrec.data import client_partition
from fedrec.data.dataset import Catalogue, Dataset, Interactions
from fedrec.data.evaluation_sample import evaluated, share_in_round, share_of_people
from fedrec.data.load import load_dataset
from fedrec.errors import FedrecError
from fedrec.files import write_json
from fedrec.models.base import Base
from fedrec.models.vectors import item_vectors
from fedrec.preparation import facts_of, resolve
from server.public_facts import settled, too_large_for, with_base_of, with_clients, write_public
from server.reference import ClientFacts, Reference, facts_of_clients, rows_by_client
from server.run import remove_run
from server.simulated_run import FILLED, SimulatedRun, create_run

Warn = Callable[[Sequence[str]], None]


def prepare(config: RunConfig, folder: Path, homes: Path | None = None) -> SimulatedRun:
    """A new run in `folder`; nothing is left there if it cannot be prepared, so the mended one finds the place free.

    Args:
        homes: where the clients' homes are, or are made; none = in the run's folder.
    """
    run = create_run(folder, resolve(config))
    if homes is not None:
        run.place_homes(homes)
    try:
        return finish(run)
    except FedrecError:
        remove_run(folder)
        raise


def finish(run: SimulatedRun) -> SimulatedRun:
    """Whatever is missing of a run's preparation; killed at any point, it is simply done again."""
    return finish_all([run])[0]


def finish_all(runs: Sequence[SimulatedRun], warn: Warn = lambda warnings: None) -> list[SimulatedRun]:
    """The same for a run and its baselines, which share its data, base model and first adapter.

    Args:
        warn: told what is odd about the data as soon as they are read, before a base model is built for them.
    """
    config = runs[0].config
    if runs[0].prepared:
        warn(runs[0].reference.warnings)
        find_base(runs[0].folder, config, runs[0].catalogue)  # what is wrong with it is told once, not by each client
        return list(runs)
    filled = config.data.format == FILLED
    dataset = runs[0].gathered() if filled else load_dataset(config.data, config.seed)
    warn(dataset.warnings)
    runs, base = with_base_of(runs, dataset)
    rows = dataset.interactions if filled else _partitioned(dataset, config, base)
    facts = _facts_of(rows)
    runs = [settled(run, with_clients(run.config, len(facts))) for run in runs]
    share = share_of_people(rows, config.evaluate)
    shown = share_in_round(config.federation.rounds, config.federation.rounds, share, config.evaluate)
    known = facts_of(dataset, evaluated(rows, shown, config.seed)) | {"measured": share, "clients": map(asdict, facts)}
    run = runs[0]
    if not filled:
        _fill_homes(run, rows, dataset.catalogue)
    runs = write_public(runs, base, dataset.catalogue)
    too_large = too_large_for(config, len(rows.user_ids), base.context)
    warn(too_large)
    reference = Reference.of({**known, "base": base.name, "warnings": [*dataset.warnings, *too_large]})
    write_json(run.folder / "reference.json", reference.content())
    return runs


def _partitioned(dataset: Dataset, config: RunConfig, base: Base) -> Interactions:
    """The rows, each with its client."""
    rows = dataset.interactions
    names = client_partition.client_names(config.clients.count)
    match config.clients.by:
        case "hash":
            of = client_partition.by_hash(rows.user_ids, config.clients.count)
        case "kmeans":
            vectors = item_vectors(base, dataset.catalogue.titles)
            of = client_partition.by_taste(rows, vectors, config.clients.count, config.seed)
        case "column":
            names, of = rows.client_ids, client_partition.by_column(rows)
    return replace(rows, client=of[rows.user], client_ids=names)


def _facts_of(rows: Interactions) -> list[ClientFacts]:
    """As `facts_of_clients`; FedrecError where one has nothing to learn from."""
    facts = facts_of_clients(rows)
    if without := [fact.id for fact in facts if not fact.train_rows]:
        raise FedrecError(f"client {without[0]} has no train rows: use fewer clients (--clients) or another partition")
    return facts


def _fill_homes(run: SimulatedRun, rows: Interactions, catalogue: Catalogue) -> None:
    """Each client's own rows in its own home; with central training one client holds all, measured by group."""
    if run.pools:
        run.make_home(run.config.strategy).write_interactions(_of_users(rows, np.arange(len(rows))), catalogue)
        return
    for name, mine in rows_by_client(rows):
        own = replace(_of_users(rows, mine), client=None, client_ids=())
        run.make_home(name).write_interactions(own, catalogue)


def _of_users(rows: Interactions, mine: NDArray[np.intp]) -> Interactions:
    """The chosen rows with user ids of their own, so that no client's file names another's users."""
    users, index = np.unique(rows.user[mine], return_inverse=True)
    chosen = rows.take(mine)
    return replace(chosen, user=index.astype(np.int32), user_ids=tuple(rows.user_ids[user] for user in users))
