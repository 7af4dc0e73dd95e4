"""A run over clients of whom the server has nothing but their answers: its catalogue is public, the counts are theirs.

The same configuration and rows give the adapters that a simulation gives. What only rows can tell, the trivial scorers
and the best possible, is not known here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fedrec.config import RunConfig, parse
from fedrec.data.dataset import Dataset, Interactions
from fedrec.data.readers.titles import read_titles
from fedrec.deployment.settings import ServerSettings
from fedrec.errors import FedrecError, UsageError
from fedrec.files import write_json
from fedrec.preparation import resolve
from fedrec.protocol.answers import Done, InventoryAnswer
from fedrec.protocol.questions import Inform, Inventory
from fedrec.strategies import strategy_of
from server.calls import Clients
from server.public_facts import settled, too_large_for, with_base_of, with_clients, write_public
from server.reference import ClientFacts, Reference
from server.registered_grid import RegisteredGrid
from server.run import BASELINES, Run, create_folder

FORMAT = "deployed"
"""The data's format, where clients alone have them."""
_PATIENCE = 60.0  # seconds without a client coming in, after which no more are expected

Say = Callable[[str], None]


def configured(tree: Mapping[str, Any], settings: ServerSettings) -> list[RunConfig]:
    """The configuration of a run and of its baselines.

    Args:
        tree: what was set, as `config.parse` takes it.

    Raises:
        UsageError: a wrong setting, or one that cannot be where clients alone have the data.
    """
    if settings.catalogue is None:
        raise UsageError("the server's server.toml names no catalogue: a public list of item and title")
    if "data" in tree:
        raise UsageError("data and titles are those of the clients and of server.toml: leave out data.*")
    data = {"path": str(settings.catalogue), "format": FORMAT}
    main = resolve(parse({**tree, "data": data}))
    configs = [main]
    for name in main.baselines:
        configs.append(parse({**main.model_dump(), "baselines": (), "strategy": name}))
    if pooling := [config.strategy for config in configs if strategy_of(config).pools]:
        raise UsageError(f"strategy {pooling[0]} trains on everybody's rows in one place: no client hands out its rows")
    return configs


def create(configs: Sequence[RunConfig], folder: Path) -> list[Run]:
    """The run and its baselines, not prepared."""
    create_folder(folder, configs[0])
    for config in configs[1:]:
        create_folder(folder / BASELINES / config.strategy, config)
    return reopened(folder)


def reopened(folder: Path) -> list[Run]:
    """The run and its baselines, as they are there."""
    run = Run(folder)
    return [run, *run.baselines]


def prepare(runs: Sequence[Run], grid: RegisteredGrid, wanted: int | None, say: Say) -> list[Run]:
    """Whatever is missing of their preparation.

    Args:
        wanted: clients, where it is not all that are registered.

    Raises:
        FedrecError: clients are missing, or one has nothing to learn from.
    """
    if runs[0].prepared:
        return list(runs)
    config = runs[0].config
    catalogue = read_titles(Path(str(config.data.path)))
    names = _await(grid, wanted)
    found, base = with_base_of(runs, Dataset(FORMAT, _nobody(), catalogue))
    found = [settled(run, with_clients(run.config, len(names))) for run in found]
    run, *_ = write_public(found, base, catalogue)
    facts = _facts(Clients(grid, run, {name: grid.nodes[name] for name in names}))
    people = sum(fact.users for fact in facts)
    warnings = too_large_for(run.config, people, base.context)
    for warning in warnings:
        say(f"warning: {warning}")
    users = run.config.evaluate.users
    reference = Reference(
        base=base.name, clients=facts, measured=min(1.0, users / people) if users and people else 1.0,
        data=f"{len(facts)} clients", trivial={}, trivial_uauc={}, trivial_uauc_at_split={}, best_possible_auc=None,
        best_possible_uauc=None, warnings=warnings, notes=["deployed: the rows are with the clients alone"],
        listed=True,
    )  # fmt: skip
    write_json(run.folder / "reference.json", {**reference.content(), "clients": [asdict(fact) for fact in facts]})
    return reopened(run.folder)


def _await(grid: RegisteredGrid, wanted: int | None) -> tuple[str, ...]:
    """Who takes part: all that are registered, or the first so many by name that have come in."""
    needed = len(grid.nodes) if wanted is None else wanted
    if not needed:
        raise FedrecError("no client is registered: `fedrec deploy keys` makes keys")
    there, end = grid.connected(), time.monotonic() + _PATIENCE
    while len(there) < needed:
        if time.monotonic() > end:
            away = ", ".join(sorted(set(grid.nodes) - set(there)))
            few = f"--clients {len(there)} goes on with those that are there" if there else "start them"
            raise FedrecError(f"clients {away} are not connected; {few}")
        time.sleep(0.2)
        if len(found := grid.connected()) > len(there):
            end = time.monotonic() + _PATIENCE
        there = found
    return there[:needed]


def _facts(clients: Clients) -> list[ClientFacts]:
    """How much each client has, by its word."""
    clients.ask(Inform(told=dict(clients.run.facts)), Done)
    said = clients.ask(Inventory(), InventoryAnswer)
    facts = [ClientFacts(name, answer.users, sum(answer.examples)) for name, answer in sorted(said.items())]
    if without := [fact.id for fact in facts if not fact.train_rows]:
        raise FedrecError(f"client {without[0]} has no train rows: import some into its vault, or leave it out")
    return facts


def _nobody() -> Interactions:
    return Interactions(
        user=np.zeros(0, np.int32), item=np.zeros(0, np.int32), label=np.zeros(0, np.int8),
        time=np.zeros(0, np.int64), split=np.zeros(0, np.int8), user_ids=(),
    )  # fmt: skip
