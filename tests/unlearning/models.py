"""Sharded models of seconds, and what a folder holds."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from experiments.models import content
from fedrec.config import load
from fedrec.data.dataset import Dataset
from fedrec.data.load import load_dataset
from fedrec.data.selection import Selection, without
from fedrec.preparation import resolve
from unlearning.central.model import ShardedModel
from unlearning.compute.workers import Workers
from unlearning.methods import method_named
from unlearning.methods.method import Method
from unlearning.shards.assignment import ShardAssignment

_KEPT = TemporaryDirectory()
_TRAINED: dict[str, Path] = {}


class Maker:
    """Makes models of one configuration, each in a folder of its own."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.folder = folder
        self.config = resolve(load(overrides={"data.split": "user-time", "data.valid_fraction": 0.2, **settings}))
        self.dataset = load_dataset(self.config.data, self.config.seed)
        self._made = 0

    def create(
        self,
        method: str | Method,
        *,
        gone: Selection | None = None,
        assignment: ShardAssignment | None = None,
        **how: Any,
    ):
        """An untrained model; with `gone`, of data that never held those rows."""
        dataset = self.dataset if gone is None else self.never_had(gone)
        self._made += 1
        named = method_named(method, how.pop("shards", 3), **how) if isinstance(method, str) else method
        return ShardedModel.create(self.folder / str(self._made), self.config, named, dataset, assignment)

    def trained(self, method: str | Method, pool: Workers | None = None, **how: Any) -> ShardedModel:
        """A trained model. Without a pool, a copy of one that is trained once a process, opened anew."""
        if pool is not None or "places" in how:
            return self.trained_now(method, pool, **how)
        key = repr((self.config, method, how))
        if key not in _TRAINED:
            model = self.trained_now(method, **how)
            _TRAINED[key] = Path(shutil.copytree(model.folder, Path(_KEPT.name) / str(len(_TRAINED))))
        self._made += 1
        return ShardedModel(Path(shutil.copytree(_TRAINED[key], self.folder / str(self._made))))

    def trained_now(self, method: str | Method, pool: Workers | None = None, **how: Any) -> ShardedModel:
        """One that has in memory what training left there."""
        model = self.create(method, **how)
        model.train(pool)
        return model

    def never_had(self, gone: Selection) -> Dataset:
        rows = self.dataset.interactions
        kept = without(rows, gone.mask(rows, self.dataset.catalogue))
        return Dataset(self.dataset.name, kept, self.dataset.catalogue)


def adapters(model: ShardedModel) -> list[bytes]:
    """What each shard learned; equal to another's also where neither learned anything, so see that they can differ."""
    return [path.read_bytes() for path in sorted((model.folder / "shards").rglob("*.safetensors"))]


def same(one: ShardedModel, other: ShardedModel) -> None:
    ours, theirs = content(one), content(other)
    assert list(ours) == list(theirs)
    assert [path for path in ours if ours[path] != theirs[path]] == []
