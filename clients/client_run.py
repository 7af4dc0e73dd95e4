"""What a client has of one run, in its home.

configuration.json, catalogue.json, base.json   the run's public facts, as the server said them once
manifest.json, served/, judged.safetensors, rehearsed.safetensors: the model it serves (`fedrec.ensemble.serving`)
published.safetensors       the model the server sent last; training starts from it
personal-0003.safetensors   Ditto's personal model
items-1-0003.safetensors    a shard's item rows after a round, where they stay here (`clients.own_items`)
scores.npz           the scores of its test rows by the served model
training/            checkpoints within the round
held/                erased rows that wait for their verification, sealed
lease.json           deployed: when the server last said what may be answered from (`clients.lease`)
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from clients.home import SETTINGS, Home
from clients.lease import lapsed
from clients.own_items import stay, without
from fedrec.config import RunConfig, parse
from fedrec.data.dataset import Catalogue, Interactions
from fedrec.errors import FedrecError
from fedrec.files import make_folder, sync, write_bytes
from fedrec.pinned import check_pin
from fedrec.privacy.ledger import LEDGER
from fedrec.protocol.adapters import Model, digest_of, from_arrays
from fedrec.protocol.facts import FACTS, Fact, written
from fedrec.vault.vault import Vault

if TYPE_CHECKING:
    from fedrec.ensemble.serving import Ensemble
    from fedrec.models.base import Base
    from fedrec.protocol.answers import TrainAnswer

PUBLISHED = "published.safetensors"


class ClientRun:
    """One run at one client."""

    def __init__(self, home: Home, id: str) -> None:
        self.home, self.id, self.name = home, id, home.name
        self.folder = home.run_folder(id)

    # the run's public facts

    def lacks(self, hashes: Mapping[str, str]) -> tuple[str, ...]:
        """Which of the facts that a question names by hash are not here, nor where the home is told to find such.

        Raises:
            FedrecError: the run is said to be over another catalogue than when it was told of first.
        """
        if self._path("configuration").exists():
            self._agrees(self.config.pinned.catalogue, hashes.get("catalogue"))
        return tuple(
            fact
            for fact, digest in hashes.items()
            if fact in FACTS and _sha256(self._path(fact)) != digest and not self._found(fact, digest)
        )

    def keep(self, facts: Mapping[str, Fact]) -> None:
        """Keep facts for good.

        Raises:
            FedrecError: the run is said to be over something else than when it was told of first.
        """
        if "configuration" in facts:
            self._is_still(parse(dict(facts["configuration"])))
        for name, fact in facts.items():
            if name in FACTS:
                write_bytes(self._path(name), written(fact))

    @cached_property
    def config(self) -> RunConfig:
        """The run's configuration; the device is the home's, where its client.toml names one.

        Raises:
            FedrecError: the run is not known here.
            UsageError: this machine has no such device.
        """
        config = _configuration(self._file("configuration"))
        if (named := self.home.settings.device) is None:
            return config
        from fedrec.hardware import torch_device

        device = str(torch_device(named, f"{self.home.folder / SETTINGS}: device"))
        return config.model_copy(update={"train": config.train.model_copy(update={"device": device})})

    @property
    def catalogue(self) -> Catalogue:
        """
        Raises:
            FedrecError: it is not known here, or another than the run's.
        """
        file = self._file("catalogue")
        check_pin(file.path, self.config.pinned.catalogue, _hashed(file))
        return _catalogue(file)

    def check_first(self, model: Model) -> None:
        """
        Raises:
            FedrecError: an adapter that the first round is to begin with is another than the run's.
        """
        for state in model:
            self._agrees(self.config.pinned.initial, digest_of(state))

    @cached_property
    def base(self) -> Base:
        """The base model that the run was made over.

        Raises:
            FedrecError: it is not on this machine, or not that one.
        """
        from fedrec.base_models.recorded import base_of

        return base_of(self.folder, self.config, self.catalogue, self.home.base)

    def _is_still(self, told: RunConfig) -> None:
        """FedrecError where the run is said to be over something else than when it was told of first."""
        if self._path("configuration").exists():
            for name, pinned in self.config.pinned:
                self._agrees(pinned, getattr(told.pinned, name) or "nothing")

    def _agrees(self, pinned: str | None, told: str | None) -> None:
        if pinned is not None and told not in (None, pinned):
            raise FedrecError(
                f"client {self.name} was told that run {self.id} is over {pinned}, and now over {told}: titles, base "
                "model and first adapter of a run never change; its server has to put back its own, or start a new run"
            )

    def _path(self, fact: str) -> Path:
        return self.folder / f"{fact}.json"

    def _found(self, fact: str, digest: str) -> bool:
        """Whether the fact is among those that this machine has for many; then it is here, too."""
        if self.home.facts is None or not re.fullmatch("[0-9a-f]{64}", digest):
            return False
        there, here = self.home.facts / f"{digest}.json", self._path(fact)
        if _sha256(there) != digest:
            return False
        if fact == "configuration":
            self._is_still(_configuration(_File.at(there)))
        make_folder(here.parent)
        here.unlink(missing_ok=True)
        try:
            here.hardlink_to(there)
        except OSError:  # on another disk
            shutil.copyfile(there, here)
        return True

    def _file(self, fact: str) -> _File:
        if not self._path(fact).exists():
            raise FedrecError(f"client {self.name} does not know run {self.id}: its server has to tell it first")
        return _File.at(self._path(fact))

    # rows

    @property
    def vault(self) -> Vault:
        return self.home.vault

    def interactions(self) -> Interactions:
        return self.home.interactions(self.catalogue)

    @property
    def ledger_path(self) -> Path:
        """Where what is spent of its people's privacy is written down, of all runs."""
        return self.home.folder / LEDGER

    def replayed(self, number: int, model: Model) -> TrainAnswer:
        """What it would send in a round that begins with this model of all shards; nothing here changes."""
        from clients.replay import replayed

        return replayed(self, number, model, range(len(model)))

    # what is served, and what it answered

    @property
    def ensemble(self) -> Ensemble:
        """The model that it serves."""
        from fedrec.ensemble.serving import Ensemble, Keeper

        mend = "its run's server has to send it anew"
        called, resume = f"client {self.name}", "its run's rounds"
        return Ensemble(self.folder, Keeper(self.home, self.id, called, resume, mend, partial(lapsed, self.folder)))

    def known_to_server(self) -> dict[int, str]:
        """The hash of each adapter that the manifest names, by shard, without item rows that stay here."""
        named = self.ensemble.named()
        if not stay(self.config):
            return named
        from fedrec.models.adapter import to_arrays

        found = {}
        for shard, digest in named.items():
            state = self.ensemble.stored(shard, digest)  # one that has changed on disk is none that the server knows
            found[shard] = digest if state is None else digest_of(without(to_arrays(state)))
        return found

    def unused(self) -> list[tuple[str, str]]:
        """Files and folders, by their names, from which nothing answers nor goes on; each with why."""
        served = self.known_to_server()
        found = [
            (str(path.relative_to(self.folder)), "an adapter that is not served") for path in self.ensemble.unserved()
        ]
        personal = sorted(self.folder.glob("personal-*.safetensors"))  # of Ditto, the one that is served among them
        models = personal or [self.folder / PUBLISHED]
        if all(_differs(path, served) for path in models):
            found.append((models[-1].name, "another model than is served"))
        return found

    def published_in(self) -> int | None:
        """The round of the model that the server sent last, where it is there still; -1 where it cannot be read."""
        try:
            with safe_open(self.folder / PUBLISHED, "np") as file:
                return int(file.metadata()["round"])
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            return -1

    def published(self, number: int) -> Model | None:
        """The model that it was sent in a round, where it has it still."""
        return from_arrays(load_file(self.folder / PUBLISHED)) if self.published_in() == number else None

    def leave(self) -> None:
        """Have nothing of the run any longer; from the first moment on nothing of it may be served."""
        self.home.allow(self.id, ())
        if self.folder.exists():
            shutil.rmtree(self.folder)
            sync(self.folder.parent)


def _differs(path: Path, served: Mapping[int, str]) -> bool:
    """Whether a file holds a model that has another adapter than is served."""
    try:
        model = dict(enumerate(map(digest_of, from_arrays(load_file(path)))))
    except (OSError, SafetensorError, ValueError):
        return path.exists()
    return any(model.get(shard) != digest for shard, digest in served.items())


@dataclass(frozen=True)
class _File:
    """A file that never changes in its place, known by what it is and not by where: clients of one machine share it."""

    known: tuple[int, ...]
    path: Path = field(compare=False)

    @classmethod
    def at(cls, path: Path) -> _File:
        status = path.stat()
        return cls((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns), path)


def _sha256(path: Path) -> str:
    """Empty where no such file is."""
    return _hashed(_File.at(path)) if path.exists() else ""


@lru_cache(maxsize=1024)
def _hashed(file: _File) -> str:
    return hashlib.sha256(file.path.read_bytes()).hexdigest()


@lru_cache(maxsize=8)
def _configuration(file: _File) -> RunConfig:
    return parse(json.loads(file.path.read_bytes()))


@lru_cache(maxsize=8)
def _catalogue(file: _File) -> Catalogue:
    told = json.loads(file.path.read_bytes())
    return Catalogue(tuple(told["ids"]), tuple(told["titles"]))
