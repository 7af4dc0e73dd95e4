"""A run on disk. Every file appears whole or not at all, so a run killed at any moment can be resumed.

config.json              the resolved configuration; written first
catalogue.json           the public items
base.json                the files of the base model, held against them at every load
reference.json           facts of the data, trivial scorers, best possible AUC; written last of the preparation
initial/                 the shared initial adapter, a PEFT folder
rounds/0003/             models.safetensors (the last round's only), round.json
rounds/0004.unfinished/  what clients answered in the round at hand
clients/NAME/            what a client keeps to itself: see `client_store`
baselines/STRATEGY/      runs of other strategies over this run's data and first adapter; they keep no rows of their own
result.json, report.html
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from fedrec import lock
from fedrec.client_store import CentralStore, ClientStore
from fedrec.config import RunConfig, parse
from fedrec.data.selection import Selection
from fedrec.data.shards import by_hash
from fedrec.data.table import Catalogue, Interactions
from fedrec.errors import FedrecError, UsageError, command
from fedrec.files import read_json, replacing, replacing_folder, storing, sync, write_json
from fedrec.owner import for_owner_only
from fedrec.protocol.adapters import Model, from_arrays, to_arrays
from fedrec.strategies import strategy_of

RUNS = Path("runs")
_UNFINISHED = ".unfinished"
BASELINES = "baselines"
MODELS = "models.safetensors"
_GOING = ".removed"


class Run:
    """The folder of one run. People's data are in it, so whoever opens it writes for its owner only from then on."""

    def __init__(self, folder: Path) -> None:
        for_owner_only()
        self.folder = folder

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def config(self) -> RunConfig:
        return parse(read_json(self.folder / "config.json"))

    @property
    def configuration(self) -> dict[str, Any]:
        """Every setting, and how many rounds train a shard, as an erasure's certificate has it."""
        return {**self.config.model_dump(mode="json"), "rounds": self.config.federation.rounds}

    @cached_property
    def home(self) -> Run:
        """The run whose data these are: of a baseline the one that it stands beside, else itself."""
        beside = self.folder.parent
        is_baseline = beside.name == BASELINES and (beside.parent / "config.json").exists()
        return Run(beside.parent) if is_baseline else self

    @cached_property
    def catalogue(self) -> Catalogue:
        content = read_json(self.home.folder / "catalogue.json")
        return Catalogue(tuple(content["ids"]), tuple(content["titles"]))

    @property
    def reference(self) -> dict[str, Any]:
        """What the preparation found out about the data."""
        reference: dict[str, Any] = read_json(self.home.folder / "reference.json")
        return reference

    @property
    def result(self) -> dict[str, Any]:
        """What was measured, as result.json has it.

        Raises:
            FedrecError: the run is not finished, or its result is broken.
        """
        path, again = self.folder / "result.json", command("simulate --resume", self.folder)
        if not path.exists():
            raise FedrecError(f"{path}: not there yet; finish the run with {again}")
        try:
            result: dict[str, Any] = read_json(path)
            result["overall"], result["clients"], result["history"]
        except (FedrecError, KeyError, TypeError):
            raise FedrecError(f"{path}: not a run's result; {again} writes it again") from None
        return result

    @property
    def prepared(self) -> bool:
        return (self.home.folder / "reference.json").exists()

    @property
    def pools(self) -> bool:
        """Whether one client, named as the strategy, holds everybody's rows."""
        return strategy_of(self.config).pools

    @cached_property
    def clients(self) -> tuple[str, ...]:
        """The clients' names, sorted: client i of the partition is the i-th."""
        if self.pools:
            return (self.config.strategy,)
        return tuple(sorted(path.name for path in (self.home.folder / "clients").iterdir() if path.is_dir()))

    def client(self, name: str) -> ClientStore:
        folder, home = self.folder / "clients" / name, self.home
        if home is self:
            return ClientStore(folder, self.catalogue)
        if self.pools:
            vaults = {each: home.client(each).vault_path for each in home.clients}
            return CentralStore(folder, self.catalogue, vaults, self.name)
        return ClientStore(folder, self.catalogue, home.client(name).vault_path, self.name)

    def interactions(self) -> Interactions:
        """The rows that the clients hold now, each with its client, on the machine that holds them all."""
        from fedrec.data.pooling import pooled

        if self.pools:
            return self.client(self.config.strategy).interactions()
        return pooled({name: self.client(name).interactions() for name in self.clients})

    def clients_of(self) -> dict[str, tuple[str, ...]]:
        """Who holds each user's rows, on the machine that holds them all: most often one client."""
        found: dict[str, list[str]] = {}
        for name in self.clients:
            for user in self.client(name).users():
                found.setdefault(user, []).append(name)
        return {user: tuple(names) for user, names in found.items()}

    def holds(self, selection: Selection, client: str | None) -> bool:
        """Whether any row of a selection is there now, at that client or at any, on the machine that holds them all."""
        names = self.clients if self.pools or client is None else (client,)
        return any(selection.mask(self.client(name).interactions(), self.catalogue).any() for name in names)

    def changed_shards(self) -> dict[str, tuple[int, ...]]:
        """By client, the shards it serves that learned from other rows than it has now; as `clients_of`."""
        from fedrec.learned import changed_shards

        found = {name: changed_shards(self, name) for name in self.clients}
        return {name: shards for name, shards in found.items() if shards}

    def shard_of(self, users: Sequence[str]) -> NDArray[np.int32]:
        """(users,) by a keyed hash of the user alone: nobody moves when somebody goes."""
        return by_hash(users, self.config.shards, str(self.config.seed))

    @property
    def baselines(self) -> tuple[Run, ...]:
        folders = sorted((self.folder / BASELINES).glob("*/config.json"))
        return tuple(Run(path.parent) for path in folders if path.parent.suffix != _GOING)

    def remove_baselines(self, names: Collection[str] | None = None) -> list[str]:
        """Throw away baselines, all or some, with what they learned; from the first moment on none of it may be served.

        Returns:
            Their names.
        """
        found = [baseline for baseline in self.baselines if names is None or baseline.name in names]
        for baseline in found:
            for name in baseline.clients:
                baseline.client(name).allow(())
            going = baseline.folder.with_suffix(_GOING)
            shutil.rmtree(going, ignore_errors=True)
            baseline.folder.rename(going)
            sync(going.parent)
        for path in (self.folder / BASELINES).glob(f"*{_GOING}"):  # also what a kill left of an earlier time
            shutil.rmtree(path)
        return [baseline.name for baseline in found]

    @property
    def rounds(self) -> Rounds:
        return Rounds(self.folder / "rounds")


class Rounds:
    """Finished rounds in a folder, each in one of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def last(self) -> int | None:
        """The newest finished round; None before round 0, which publishes the initial adapter."""
        done = [int(path.name) for path in self.folder.glob("*") if path.name.isdecimal()]
        return max(done, default=None)

    def write(self, number: int, models: Mapping[str, Model], entry: dict[str, Any]) -> None:
        """Finish a round: every client's model and what happened.

        Older rounds' models are removed, and what was kept of unfinished ones.
        """
        path = self.folder / f"{number:04d}"
        flat = {f"{client}|{name}": a for client in models for name, a in to_arrays(models[client]).items()}
        if path.exists():  # finished before, with other models
            with replacing(path / MODELS, durable=True) as partial, storing(partial):
                save_file(flat, partial)
            write_json(path / "round.json", entry)
        else:
            with replacing_folder(path) as fresh:
                with storing(fresh / MODELS):
                    save_file(flat, fresh / MODELS)
                write_json(fresh / "round.json", entry)
        for old in self.folder.glob(f"[0-9]*/{MODELS}"):
            if old.parent.name.isdecimal() and int(old.parent.name) < number:
                old.unlink()
                sync(old.parent)
        self.drop_unfinished()

    def drop_unfinished(self) -> None:
        """Remove what was kept of rounds that are not finished."""
        for kept in list(self.folder.glob(f"*{_UNFINISHED}")):
            shutil.rmtree(kept)
            sync(self.folder)

    def unfinished(self, number: int) -> Path:
        """Where answers of a round are kept until it is written."""
        return self.folder / f"{number:04d}{_UNFINISHED}"

    def models(self, number: int) -> dict[str, Model]:
        """Every client's model after that round."""
        arrays: dict[str, dict[str, NDArray[np.float32]]] = {}
        for key, array in load_file(self.folder / f"{number:04d}" / MODELS).items():
            client, _, name = key.rpartition("|")
            arrays.setdefault(client, {})[name] = array
        return {client: from_arrays(named) for client, named in arrays.items()}

    def retell(self, number: int, entry: dict[str, Any]) -> None:
        """Write anew what happened in a finished round."""
        write_json(self.folder / f"{number:04d}" / "round.json", entry)

    def entry(self, number: int) -> dict[str, Any]:
        """What happened in a finished round."""
        entry: dict[str, Any] = read_json(self.folder / f"{number:04d}" / "round.json")
        return entry

    def history(self) -> list[dict[str, Any]]:
        """What happened in each finished round."""
        last = self.last()
        return [self.entry(number) for number in range(0 if last is None else last + 1)]


def open_run(path: str | Path | None = None) -> Run:
    """The run in a folder; without one, the newest under runs/.

    Raises:
        UsageError: there is none.
    """
    if path is not None:
        if not (Path(path) / "config.json").is_file():
            free = not Path(path).exists() or (Path(path).is_dir() and not any(Path(path).iterdir()))
            mend = (
                f"{command('simulate --out', path)} makes one"
                if free
                else "name a run's folder; `fedrec simulate` makes one"
            )
            raise UsageError(f"{path}: no run there; {mend}")
        return Run(Path(path))
    found = sorted(RUNS.glob("*/config.json"), key=lambda config: config.stat().st_mtime)
    if not found:
        raise UsageError("no run under runs/; `fedrec simulate` makes one")
    return Run(found[-1].parent)


def create_run(folder: Path, config: RunConfig) -> Run:
    """A new run in an empty or missing folder.

    Raises:
        UsageError: something is there already, or nothing can be written there.
    """
    for_owner_only()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "config.json").exists():
            mend = f"continue it with --resume {folder}, throw it away with --replace, or choose another --out"
            raise UsageError(f"{folder} holds a run: {mend}")
        if any(path.suffix != ".partial" for path in lock.content(folder)):
            raise UsageError(f"{folder} is not empty: choose another --out")
        write_json(folder / "config.json", config.model_dump(mode="json"))
    except OSError as error:
        raise UsageError(f"--out {folder}: cannot be written ({error.strerror}); choose another folder") from None
    return Run(folder)


def remove_run(folder: Path) -> None:
    """Throw away the run in a folder, if there is one; its lock stays with who holds it.

    Raises:
        UsageError: the folder's config.json is not that of a run, so nothing in it is touched.
    """
    if (folder / "config.json").exists():
        try:
            Run(folder).config  # noqa: B018
        except FedrecError:
            raise UsageError(f"{folder} does not hold a run: remove it yourself, or choose another --out") from None
        (folder / "config.json").unlink()  # first: what a kill leaves is no run
        lock.empty(folder)
