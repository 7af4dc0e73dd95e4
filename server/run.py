"""A run on disk. Every file appears whole or not at all, so a run killed at any moment can be resumed.

run.json                 its id
config.json              the resolved configuration; written first, but for that
catalogue.json           the public items
base.json                the files of the base model, held against them at every load
reference.json           facts of the data, trivial scorers, best possible AUC; written last of the preparation
initial/                 the shared initial adapter, a PEFT folder
rounds/                  see `server.rounds`
clients/NAME/            homes of its clients, where a simulation has made them: nothing here opens them
baselines/STRATEGY/      runs of other strategies over the same homes, this run's catalogue and its first adapter
result.json, report.html
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fedrec import lock
from fedrec.config import RunConfig, parse
from fedrec.data.dataset import Catalogue
from fedrec.data.selection import Selection
from fedrec.data.user_hash import shard_of
from fedrec.errors import FedrecError, UsageError, command
from fedrec.file_owner import for_owner_only
from fedrec.files import read_json, sync, write_json
from fedrec.options import RUNS
from fedrec.pinned import check_pin, read_catalogue
from fedrec.protocol.adapters import State, digest_of
from fedrec.protocol.facts import Fact, digest
from fedrec.protocol.facts import configuration as shared
from fedrec.strategies import strategy_of
from server.reference import Reference
from server.remote_folder import DEPLOYED, is_remote
from server.rounds import Rounds
from unlearning.central.model_folder import METHOD, is_model

BASELINES = "baselines"
_GOING = ".removed"


class Run:
    """The folder of one run; whoever opens it writes for its owner only from then on."""

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
    def id(self) -> str:
        """By which its clients know it, wherever its folder is."""
        return str(read_json(self.folder / "run.json")["id"])

    @cached_property
    def main(self) -> Self:
        """The run whose data these are: of a baseline the one that it stands beside, else itself."""
        beside = self.folder.parent
        is_baseline = beside.name == BASELINES and (beside.parent / "config.json").exists()
        return type(self)(beside.parent) if is_baseline else self

    @cached_property
    def catalogue(self) -> Catalogue:
        return read_catalogue(self.main.folder / "catalogue.json", self.main.config)

    @property
    def reference(self) -> Reference:
        """What the preparation found out about the data."""
        return Reference.of(read_json(self.main.folder / "reference.json"))

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

    @cached_property
    def initial(self) -> State:
        """The shared initial adapter, the same in every shard."""
        from fedrec.models.peft_folder import load_peft

        state, _ = load_peft(path := self.main.folder / "initial")
        initial = {name: tensor.numpy() for name, tensor in state.items()}
        check_pin(path, self.main.config.pinned.initial, digest_of(initial))
        return initial

    @property
    def prepared(self) -> bool:
        return (self.main.folder / "reference.json").exists()

    @property
    def pools(self) -> bool:
        """Whether one client, named as the strategy, holds everybody's rows."""
        return strategy_of(self.config).pools

    @cached_property
    def clients(self) -> tuple[str, ...]:
        """The clients' names, sorted; of a run that is not prepared yet none."""
        if self.pools:
            return (self.config.strategy,)
        return tuple(sorted(fact.id for fact in self.reference.clients)) if self.prepared else ()

    @cached_property
    def facts(self) -> dict[str, Fact]:
        """What its clients have to know of it, by name (`fedrec.protocol.facts`)."""
        from fedrec.base_models.recorded import RECORD

        base = read_json(self.main.folder / RECORD)
        return {
            "configuration": shared(self.config),
            "catalogue": self.catalogue.content(),
            "base": {**base, "base": shared(self.config)["base"]},
        }

    @cached_property
    def fact_hashes(self) -> dict[str, str]:
        return {name: digest(fact) for name, fact in self.facts.items()}

    # what only whoever may open the clients' homes can tell (`server.simulated_run`): of a run alone nothing is known

    def people(self) -> dict[str, list[str]]:
        """By client, those who have rows there."""
        return {}

    def shard_sizes(self) -> dict[str, list[int]]:
        """By client, how many people are in each shard; only of clients whose vaults are on this machine."""
        shards = {name: shard_of(users, self.config) for name, users in self.people().items()}
        return {name: np.bincount(found, minlength=self.config.shards).tolist() for name, found in shards.items()}

    def titles_of_only(self, selection: Selection, holders: Collection[str]) -> int | None:
        """How many titles only the selected rows have, as far as the rows are known here.

        Args:
            holders: the clients that hold some of them.

        Returns:
            None where the catalogue is a list of its own.
        """
        return None if self.reference.listed else 0

    def served(self) -> dict[str, dict[int, str]]:
        """By client, the hash of each adapter that its manifest names, by shard."""
        return {}

    def remove_unfit(self) -> list[str]:
        """Remove the baselines that may not stand; a line for each, with why."""
        return []

    def stale_figures(self) -> list[tuple[Path, str]]:
        """What tells of rows that are there no longer, each with why."""
        return []

    def measured_anew(self) -> Reference:
        """What reference.json says, of the rows that are there now."""
        return self.reference

    def shard_of(self, users: Sequence[str]) -> NDArray[np.int32]:
        """(users,) by a keyed hash of the user alone: nobody moves when somebody goes."""
        return shard_of(users, self.config)

    @property
    def baselines(self) -> tuple[Self, ...]:
        folders = sorted((self.folder / BASELINES).glob("*/config.json"))
        return tuple(type(self)(path.parent) for path in folders if path.parent.suffix != _GOING)

    def remove_baselines(self, names: Collection[str] | None = None) -> list[str]:
        """Throw away baselines, all or some, which the clients have discarded.

        Returns:
            Their names.
        """
        found = [baseline for baseline in self.baselines if names is None or baseline.name in names]
        for baseline in found:
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


def find_run(path: str | Path | None = None) -> Path:
    """The folder of a federation's run; without one, the newest under runs/.

    Raises:
        UsageError: there is none.
    """
    if path is None:
        return _newest("config.json")
    folder = Path(path)
    if is_model(folder):
        raise UsageError(f"{path}: a sharded model of `fedrec unlearn train`; this is for runs of `fedrec simulate`")
    if not (folder / "config.json").is_file():
        free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
        makes = f"{command('simulate --out', path)} makes one"
        mend = makes if free else "name a run's folder; `fedrec simulate` makes one"
        raise UsageError(f"{path}: no run there; {mend}")
    return folder


def find_run_or_model(path: Path | None = None) -> Path:
    """The folder of a run, here or submitted to a deployed federation, or of a sharded model; without one, the newest
    of them under runs/.

    Raises:
        UsageError: there is neither.
    """
    if path is None:
        return _newest("config.json", METHOD, DEPLOYED)
    return path if is_model(path) or is_remote(path) else find_run(path)


def _newest(*names: str) -> Path:
    """The folder under runs/ in which a file of one of these names was written last."""
    found = [path for name in names for path in RUNS.glob(f"*/{name}")]
    if not found:
        raise UsageError("no run under runs/; `fedrec simulate` makes one")
    return max(found, key=lambda path: path.stat().st_mtime).parent


def create_folder(folder: Path, config: RunConfig) -> None:
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
        if any(path.suffix != ".partial" and path.name != "run.json" for path in lock.content(folder)):
            raise UsageError(f"{folder} is not empty: choose another --out")
        named = re.sub(r"[^A-Za-z0-9]+", "-", folder.name).strip("-")[:40] or "run"
        write_json(folder / "run.json", {"id": f"{named}-{secrets.token_hex(4)}"})
        write_json(folder / "config.json", config.model_dump(mode="json"))
    except OSError as error:
        (folder / "run.json").unlink(missing_ok=True)
        raise UsageError(f"--out {folder}: cannot be written ({error.strerror}); choose another folder") from None


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
