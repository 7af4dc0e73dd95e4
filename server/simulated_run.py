"""A run whose clients' homes are on this machine as well. Here alone a server's folder and clients' homes meet.

RUN/clients/NAME/    the homes, where a simulation has made them; where it made them elsewhere, homes.json says so, and
                     where they were filled before, the configuration does: data.format = "homes", data.path = FOLDER
RUN/facts/           the run's public facts for all of them at once
RUN/STRATEGY/        of a baseline in which one client has everybody's rows: the home that reads all of those
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clients.client_run import ClientRun
from clients.home import Home, Policy, Settings, create_home, homes_in, open_home
from clients.lineage import changed_shards
from fedrec.config import RunConfig
from fedrec.data.dataset import Dataset, Interactions
from fedrec.data.selection import Selection
from fedrec.data.union import pooled, united
from fedrec.errors import FedrecError, UsageError, command, did_you_mean
from fedrec.files import read_json, write_bytes, write_json
from fedrec.protocol.facts import written
from fedrec.text import amount
from server.reference import Reference, facts_of_clients
from server.run import Run, create_folder, find_run

if TYPE_CHECKING:
    from fedrec.ensemble.evaluation import Evaluated
    from fedrec.ensemble.ranking import Ranking

FILLED = "homes"
_HOMES = "homes.json"


class SimulatedRun(Run):
    """A run and its clients' homes."""

    @property
    def homes_folder(self) -> Path:
        """Where its clients' homes lie, each in a folder."""
        said, data = self.main.folder / _HOMES, self.main.config.data
        if data.format == FILLED and data.path is not None:
            return Path(data.path)
        return Path(read_json(said)["homes"]) if said.exists() else self.main.folder / "clients"

    def place_homes(self, folder: Path) -> None:
        """Have the homes in another folder than the run's own."""
        write_json(self.folder / _HOMES, {"homes": str(folder.resolve())})

    @cached_property
    def homes(self) -> dict[str, Home]:
        """By client; those that are there."""
        base = self._base
        if self.pools and self.main is not self:
            return {self.config.strategy: self._pooled(base)}
        return {home.name: home for home in homes_in(self.homes_folder, base)}

    def make_home(self, name: str) -> Home:
        """The home of a client, made where it is not there yet; it tells its server what a researcher wants to see."""
        folder = self.homes_folder / name
        if (folder / "client.toml").exists():
            return open_home(folder)
        self.__dict__.pop("homes", None)
        return create_home(folder, Settings(name=name, base=self._base, policy=Policy(scores="scores")))

    def place_facts(self) -> Path:
        """A folder with the run's public facts, each by its hash: clients on this machine need not be sent them."""
        for name, digest in self.fact_hashes.items():
            if not (path := self.folder / "facts" / f"{digest}.json").exists():
                write_bytes(path, written(self.facts[name]))
        return self.folder / "facts"

    def nodes(self) -> list[dict[str, str]]:
        """What each node of a grid is told when it starts: whose home it is, and where this machine has the rest."""
        facts = str(self.place_facts().resolve())
        homes = [self.homes[name] for name in self.clients]
        return [
            {"home": str(home.folder.resolve()), "facts": facts} | ({"base": home.base} if home.base else {})
            for home in homes
        ]

    def client(self, name: str) -> ClientRun:
        """What a client has of this run."""
        return ClientRun(self.homes[name], self.id)

    def gathered(self) -> Dataset:
        """What the clients hold whose homes were filled before: all their rows, and every title that one of them knows.

        Raises:
            UsageError: there are no homes.
            FedrecError: one of them has no vault.
        """
        if not self.homes:
            raise UsageError(
                f"{self.homes_folder}: no client's home is in it; "
                f"{command('client init --name NAME', self.homes_folder / 'NAME')} makes one"
            )
        catalogue = united(home.vault.catalogue() for home in self.homes.values())
        rows = pooled({name: home.interactions(catalogue) for name, home in self.homes.items()})
        notes = (f"{amount(len(self.homes), 'home', 'homes')} of clients, filled before",)
        public = {item for home in self.homes.values() for item in home.vault.listed()}
        listed = public.issuperset(catalogue.ids)
        return Dataset(self.homes_folder.name, rows, catalogue, notes=notes, listed=listed)

    def rows_of(self, name: str) -> Interactions:
        """The rows that a client holds now."""
        return self.homes[name].interactions(self.catalogue)

    def interactions(self) -> Interactions:
        """The rows that the clients hold now, each with its client."""
        if self.pools:
            return self.rows_of(self.config.strategy)
        return pooled({name: self.rows_of(name) for name in self.homes})

    def people(self) -> dict[str, list[str]]:
        return {name: home.users() for name, home in self.homes.items() if home.has_vault}

    def clients_of(self) -> dict[str, tuple[str, ...]]:
        """Who holds each user's rows: most often one client."""
        found: dict[str, list[str]] = {}
        for name, home in self.homes.items():
            for user in home.users():
                found.setdefault(user, []).append(name)
        return {user: tuple(names) for user, names in found.items()}

    def holds(self, selection: Selection, client: str | None) -> bool:
        """Whether any row of a selection is there now, at that client or at any."""
        names = [name for name in self.homes if self.pools or client in (None, name)]
        return any(selection.mask(self.rows_of(name), self.catalogue).any() for name in names)

    def titles_of_only(self, selection: Selection, holders: Collection[str]) -> int | None:
        if self.reference.listed:
            return None
        theirs, others, ids = set[str](), set[str](), np.array(self.catalogue.ids, object)
        for name, home in self.homes.items():
            others.update(home.vault.listed())
            if self.pools or name in holders:
                rows = self.rows_of(name)
                gone = selection.mask(rows, self.catalogue)
                theirs.update(ids[np.unique(rows.item[gone])])
                others.update(ids[np.unique(rows.item[~gone])])
            else:
                others.update(home.vault.rated())
        return len(theirs - others)

    def changed_shards(self) -> dict[str, tuple[int, ...]]:
        """By client, the shards it serves that learned from other rows than it has now, where there are any."""
        found = {name: changed_shards(self.client(name), self.client(name).interactions()) for name in self.clients}
        return {name: shards for name, shards in found.items() if shards}

    def served(self) -> dict[str, dict[int, str]]:
        return {name: self.client(name).known_to_server() for name in self.clients}

    def remove_unfit(self) -> list[str]:
        from server.integrity.baselines import remove_unfit_baselines

        return remove_unfit_baselines(self)

    def stale_figures(self) -> list[tuple[Path, str]]:
        from server.integrity.figures import stale_figures

        return list(stale_figures(self))

    def leave_strays(self) -> None:
        """Have clients that are only this run's own have nothing of runs that are not here."""
        for name, id in self.strays():
            ClientRun(self.homes[name], id).leave()

    def strays(self) -> list[tuple[str, str]]:
        """Client, and id of a run that is not here, of whom it has something; of clients that are only this run's."""
        if self.homes_folder != self.folder / "clients":
            return []
        whole = [baseline for baseline in self.baselines if (baseline.folder / "run.json").exists()]
        known = {self.id, *(baseline.id for baseline in whole)}
        paths = ((name, home.folder / "runs") for name, home in self.homes.items())
        found = [(name, path.name) for name, folder in paths for path in sorted(folder.glob("*"))]
        return [(name, id) for name, id in found if id not in known]

    def measured_anew(self) -> Reference:
        from fedrec.data.evaluation_sample import evaluated, share_in_round
        from fedrec.preparation import measured_on

        rows, known = self.interactions(), self.reference
        share = share_in_round(0, 0, known.measured, self.config.evaluate)
        measured = measured_on(rows, evaluated(rows, share, self.config.seed))
        return Reference.of({**known.content(), "clients": map(asdict, facts_of_clients(rows)), **measured})

    def holder(self, user: str) -> tuple[str, str]:
        """A user's client, and the id in its normal spelling; no model is opened.

        Raises:
            UsageError: nobody of that id is there.
        """
        from fedrec.data.ids import named

        held = self.clients_of()
        if (spelt := named("--user", user, held)) not in held:
            near = did_you_mean(spelt, held)
            lists = command("data inspect --users 10 --homes", self.homes_folder)
            raise UsageError(f"--user {spelt}: no such user in {self.folder}{near}; {lists} lists some")
        return held[spelt][0], spelt

    def recommend(self, user: str, top: int) -> tuple[str, Ranking]:
        """A user's client, and their `top` unseen items.

        Raises:
            UsageError: nobody of that id is there.
            FedrecError: the client serves no model yet.
        """
        name, spelt = self.holder(user)
        from clients.client import Client  # seconds, which nobody waits for who mistyped an id

        return name, Client(self._serving(name)).recommend(spelt, top)

    def evaluate(self, split: int) -> list[Evaluated]:
        """Every client's rows of a split, as it answers them now.

        Raises:
            FedrecError: a client's home is not on this machine, or serves no model yet.
        """
        from clients.client import Client

        if away := [name for name in self.clients if name not in self.homes]:
            raise FedrecError(
                f"{self.folder}: the home of client {away[0]} is not on this machine, so its rows cannot be measured "
                "here; without --split and --per-user what the run measured is shown"
            )
        return [Client(self._serving(name)).evaluate(split) for name in self.clients]

    def export(self, client: str, folder: Path, shard: int | None) -> dict[str, Any]:
        """What a client serves, in one folder for PEFT; as `clients.export` says.

        Raises:
            UsageError: there is no such client or shard, or the folder is there already.
            FedrecError: nothing is served, or the base model is not the run's any more.
        """
        from clients.export import export

        if client not in self.clients:
            known = ", ".join(self.clients[:5]) + (", …" if len(self.clients) > 5 else "")
            raise UsageError(
                f"--client {client}: no such client{did_you_mean(client, self.clients)}; there are {known}"
            )
        return {"run": self.name} | export(self._serving(client), folder, shard)

    def _serving(self, name: str) -> ClientRun:
        """A client that may answer; FedrecError where it may not."""
        client, again = self.client(name), command("simulate --resume", self.main.folder)
        if client.ensemble.entries is None:
            raise FedrecError(f"client {name} serves no model yet: continue with {again}")
        if not client.ensemble.is_allowed():
            newest = f"{command('forget run --run', self.folder)} has it serve what is newest"
            raise FedrecError(
                f"client {name} would serve what was withdrawn: {client.folder / 'manifest.json'} is an old one that"
                f" was put back; {newest if self.main is self else f'{again} trains the baseline again'}"
            )
        return client

    def leave_baselines(self, names: list[str]) -> list[str]:
        """Have nothing left of some baselines, here and at the clients; their names."""
        for baseline in self.baselines:
            if baseline.name in names and (baseline.folder / "run.json").exists():
                for home in self.homes.values():
                    ClientRun(home, baseline.id).leave()
        return self.remove_baselines(names)

    @property
    def _base(self) -> str | None:
        """The folder of the base model, where it is on this machine."""
        base = self.config.base
        return base if base and Path(base).is_dir() else None

    def _pooled(self, base: str | None) -> Home:
        """The home of central training beside the run."""
        name = self.config.strategy
        folder = self.folder / name
        if not (folder / "client.toml").exists():
            paths = tuple(os.path.relpath(home.folder, folder) for home in self.main.homes.values())
            create_home(folder, Settings(name=name, pool=paths))
        return open_home(folder, base)


def open_run(path: str | Path | None = None) -> SimulatedRun:
    """The run in a folder; without one, the newest under runs/.

    Raises:
        UsageError: there is none.
    """
    return SimulatedRun(find_run(path))


def create_run(folder: Path, config: RunConfig) -> SimulatedRun:
    """A new run in an empty or missing folder.

    Raises:
        UsageError: something is there already, or nothing can be written there.
    """
    create_folder(folder, config)
    return SimulatedRun(folder)
