"""The adapters of an ensemble on disk, and its validation rows as they answer them.

manifest.json               folder and hash of each shard's adapter, null where it is withdrawn
served/3-1f0c…/             an adapter as a PEFT folder, called by its shard and hash
judged.safetensors          validation rows as the adapters answer them
rehearsed.safetensors       what is known already of adapters that are to be served next
scores.npz                  what the adapters said of the test rows

The manifest is replaced atomically: a shard that is null in it is never read again. Before it changes, whoever holds
the rows says which adapters may be served: an old manifest put back serves nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from fedrec.config import LoraConfig, RunConfig
from fedrec.data.dataset import TEST, VALID
from fedrec.ensemble.aggregators import AGGREGATORS
from fedrec.ensemble.aggregators.judged import Judged
from fedrec.ensemble.scores import ScoreFile
from fedrec.ensemble.served_model import ServedModel
from fedrec.ensemble.validation import Judgement, judged_users, read_judgement, write_judgement
from fedrec.errors import FedrecError
from fedrec.files import read_json, replacing_folder, sync, write_json
from fedrec.models.adapter import State, state_hash
from fedrec.models.base import Base
from fedrec.models.item_tokens import item_tokens
from fedrec.models.peft_folder import load_peft, save_peft
from fedrec.tasks.task import Encoder

_OTHERS = "has the answers of other adapters than are served"
_SHOWN = 12  # digits of a hash in a folder's name


class RowHolder(Protocol):
    """Who holds the rows that an ensemble learned from: a vault, or several."""

    def beyond(self, whose: Sequence[str], split: int) -> set[str]:
        """Of those whose each row of a split was: the people of whom there are fewer now."""

    def allowed(self, run: str) -> set[tuple[int, str]]:
        """The shards and hashes of the adapters that may be served, whatever files are put back."""

    def allow(self, run: str, adapters: Collection[tuple[int, str]]) -> None:
        """Those may be served and no others, on the disk when this returns."""


@dataclass(frozen=True)
class Keeper:
    """Whose an ensemble is.

    Attributes:
        run: by which the holder of the rows knows it.
        called: as an error names it.
        resume: what trains it to its end.
        mend: what helps where an old manifest was put back.
        lapsed: why nothing may be answered now, whatever is served; empty where it may.
    """

    rows: RowHolder
    run: str
    called: str
    resume: str
    mend: str
    lapsed: Callable[[], str] = lambda: ""


class Ensemble:
    """The ensemble in a folder."""

    def __init__(self, folder: Path, keeper: Keeper) -> None:
        self.folder, self.keeper = folder, keeper
        self._manifest, self._adapters = folder / "manifest.json", folder / "served"
        self.judged_path, self.rehearsed_path = folder / "judged.safetensors", folder / "rehearsed.safetensors"
        self.scores = ScoreFile(folder / "scores.npz")
        self._beyond = keeper.rows.beyond
        self._allowed, self._allow = partial(keeper.rows.allowed, keeper.run), partial(keeper.rows.allow, keeper.run)

    @property
    def entries(self) -> list[dict[str, str] | None] | None:
        """Folder and hash of each shard's adapter, as the manifest has them, allowed or not; None without one."""
        if not self._manifest.exists():
            return None
        entries: list[dict[str, str] | None] = read_json(self._manifest)["shards"]
        return entries

    def named(self) -> dict[int, str]:
        """The hash of each adapter that the manifest names, by shard, allowed or not."""
        return {shard: entry["sha256"] for shard, entry in enumerate(self.entries or ()) if entry is not None}

    def is_allowed(self) -> bool:
        """Whether the manifest is none that was put back: whatever it names may be served."""
        return self._manifest.exists() and set(self.named().items()) <= self._allowed()

    def hashes(self) -> dict[int, str]:
        """The hash of each adapter that is served, by shard.

        Raises:
            FedrecError: nothing was served yet, or one of them was withdrawn before.
        """
        if not self._manifest.exists():
            raise FedrecError(f"{self.keeper.called} serves no model yet: continue with {self.keeper.resume}")
        if not self.is_allowed():
            raise FedrecError(
                f"{self.keeper.called} would serve what was withdrawn: {self._manifest} is an old one that was put"
                f" back; {self.keeper.mend}"
            )
        return self.named()

    def adapters(self) -> dict[int, State]:
        """The adapters that are served, by shard.

        Raises:
            FedrecError: as `hashes`; one has changed on disk; or nothing may be answered now.
        """
        if why := self.keeper.lapsed():
            raise FedrecError(f"{self.keeper.called}: {why}")
        found: dict[int, State] = {}
        for shard, digest in self.hashes().items():
            state = self.stored(shard, digest)
            if state is None:
                raise FedrecError(f"{self._folder(shard, digest)}: its content has changed; {self.keeper.mend}")
            found[shard] = state
        return found

    def answers(self, config: RunConfig, base: Base, encoder: Encoder) -> ServedModel:
        """What it answers with.

        Raises:
            FedrecError: as `adapters`; or the validation rows cannot be read.
        """
        judged = self.judged(config.shards, config.aggregator)
        return ServedModel(base, config, encoder.readout, self.adapters(), judged)

    def judged(self, shards: int, aggregator: str) -> Judged:
        """The rows by which an aggregator weighs so many shards, of people who are there.

        Raises:
            FedrecError: it needs such, and there are none, or they are answers of other adapters than are served.
        """
        judgement, needed = read_judgement(self.judged_path), AGGREGATORS[aggregator].judges
        if judgement is None:
            if needed:
                raise FedrecError(f"{self.judged_path}: not there, or cannot be read; restore it from a backup")
            return Judged.nobody(shards)
        if needed and judgement.users and not judgement.covers(self.named()):
            raise FedrecError(f"{self.judged_path}: {_OTHERS}, as an old one that was put back; {self.keeper.mend}")
        return judgement.without(sorted(gone)).judged if (gone := self.overjudged()) else judgement.judged

    def overjudged(self) -> set[str]:
        """The people of whom there are judged rows, also rehearsed, that are rows no longer: put back, or erased."""
        paths = (self.judged_path, self.rehearsed_path)
        return {user for path in paths for user in self._beyond(judged_users(path), VALID)}

    def misleading(self) -> Iterator[tuple[str, str]]:
        """The files, by their names in the folder, that would answer what they must not; each with why."""
        if self._manifest.exists() and not self.is_allowed():
            yield self._manifest.name, "names adapters that were withdrawn"
        for shard, digest in self.named().items():
            if self.stored(shard, digest) is None:
                yield self._named(shard, digest), "not the adapter that the manifest names"
        for path in (self.judged_path, self.rehearsed_path):
            if self._beyond(judged_users(path), VALID):
                yield path.name, "has answers to rows that are there no longer"
        judgement = read_judgement(self.judged_path) if judged_users(self.judged_path) else None
        if judgement is not None and not judgement.covers(self.named()):
            yield self.judged_path.name, _OTHERS
        if (scores := self.scores.read()) is not None and self._beyond([*map(str, scores.users)], TEST):
            yield self.scores.path.name, "has scores of rows that are there no longer"

    def unserved(self) -> list[Path]:
        """The folders of adapters that are not served."""
        named = {self._folder(shard, digest) for shard, digest in self.named().items()}
        return sorted(set(self._adapters.iterdir()) - named) if self._adapters.exists() else []

    def serve(
        self,
        adapters: Mapping[int, State],
        judgement: Judgement,
        lora: LoraConfig,
        base: Base,
        beside: Collection[int] = (),
    ) -> None:
        """Serve adapters, by shard, from now on; shards that have none are withdrawn, but for those of `beside`.

        Args:
            judgement: of these adapters and of those that stay.
            base: which the adapters name.
        """
        before = self.named()
        stay = {shard: before[shard] for shard in beside if shard in before}
        fresh = {shard: judgement.adapters[shard] for shard in adapters}
        for shard, digest in fresh.items():
            if self.stored(shard, digest) is None:  # otherwise it is there since a start that was broken off
                with replacing_folder(self._folder(shard, digest)) as folder:
                    save_peft(folder, adapters[shard], lora, base.source, item_tokens(base.model))
        write_judgement(self.judged_path, judgement)
        self.rehearsed_path.unlink(missing_ok=True)
        self._allow(self._allowed() & set(before.items()) | set(fresh.items()))
        self._write(stay | fresh, len(judgement.adapters))
        self.sweep()

    def withdraw(self, shards: Collection[int], users: Collection[str]) -> list[int]:
        """Stop serving some shards, and being judged by some users' rows; the shards that are served from now on."""
        self.rehearsed_path.unlink(missing_ok=True)
        self._allow([(shard, digest) for shard, digest in self._allowed() if shard not in shards])
        if (entries := self.entries) is None:
            return []
        left = {shard: digest for shard, digest in self.named().items() if shard not in shards}
        self._write(left, len(entries))
        if (judgement := read_judgement(self.judged_path)) is not None:
            write_judgement(self.judged_path, judgement.without(list(users)), durable=False)  # until they are erased
        else:
            self.judged_path.unlink(missing_ok=True)  # broken: nobody can tell whose rows are in it
        return sorted(left)

    def withdraw_all(self, shards: int) -> None:
        """Serve nothing of so many shards, whatever is there."""
        self._allow(())
        for path in (self.judged_path, self.rehearsed_path):
            path.unlink(missing_ok=True)
        self._write({}, shards)
        self.sweep()

    def sweep(self) -> None:
        """Remove adapters that are not served, on the disk when this returns."""
        for folder in self.unserved():
            shutil.rmtree(folder)
        if self._adapters.exists():
            sync(self._adapters)

    def stored(self, shard: int, digest: str) -> State | None:
        """An adapter that is there as it was written."""
        try:
            state, _ = load_peft(self._folder(shard, digest))
        except FedrecError:
            return None
        return state if state_hash(state) == digest else None

    def _folder(self, shard: int, digest: str) -> Path:
        return self._adapters / f"{shard}-{digest[:_SHOWN]}"

    def _named(self, shard: int, digest: str) -> str:
        return str(self._folder(shard, digest).relative_to(self.folder))

    def _write(self, hashes: Mapping[int, str], shards: int) -> None:
        entries: list[dict[str, Any] | None] = [None] * shards
        for shard, digest in hashes.items():
            entries[shard] = {"folder": self._named(shard, digest), "sha256": digest}
        write_json(self._manifest, {"shards": entries})
