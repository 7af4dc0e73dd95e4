"""From a configuration and its data set to what every kind of run needs: this machine's choices, a base, facts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedrec import hardware
from fedrec.config import DataConfig, RunConfig
from fedrec.data.generated import World
from fedrec.data.table import TEST, Catalogue, Dataset, Interactions
from fedrec.data.trivial import trivial_auc
from fedrec.metrics import auc
from fedrec.models.base import Base


def resolve(config: RunConfig) -> RunConfig:
    """The configuration with what this machine decides filled in, so that every process computes alike."""
    base = config.base
    if base is not None and Path(base).is_dir():
        base = str(Path(base).resolve())
    data = config.data.model_copy(
        update={
            "path": _absolute(config.data.path),
            "items": config.data.items.model_copy(update={"path": _absolute(config.data.items.path)}),
        }
    )
    return config.model_copy(update={"train": hardware.resolve(config.train), "base": base, "data": data})


def _absolute(path: str | None) -> str | None:
    return None if path is None else str(Path(path).resolve())


def base_name(dataset: Dataset, config: RunConfig) -> str:
    """The base model that is named, or the folder of the embedded one for this catalogue."""
    base = config.base
    if base and (not Path(base).is_absolute() or Path(base).is_dir()):
        return base
    if base and not is_embedded(base, dataset.catalogue, config.data):
        return base  # which is not there
    return str(embedded_base(dataset.catalogue, config.data))


def embedded_base(catalogue: Catalogue, data: DataConfig) -> Path:
    """The folder of the embedded base model for these data; built where it is not there."""
    from fedrec.models.embedded import ensure_embedded

    return ensure_embedded(catalogue, world_of(data))


def is_embedded(base: str, catalogue: Catalogue, data: DataConfig) -> bool:
    """Whether a folder, wherever the cache was then, is that of the embedded base model for these data."""
    from fedrec.models.embedded import embedded_folder

    return Path(base).name == embedded_folder(catalogue, world_of(data)).name


def world_of(data: DataConfig) -> World | None:
    """The generated world, where the data are from it."""
    from fedrec.data.generated import make_world

    return make_world(data.world) if data.path is None else None


def with_base(config: RunConfig, name: str, base: Base) -> RunConfig:
    """The configuration with its base model, and with the number of threads that is best for it."""
    return config.model_copy(update={"base": name, "train": hardware.settle_threads(config.train, base.model)})


def facts_of(dataset: Dataset, measured: NDArray[np.bool_] | None = None) -> dict[str, object]:
    """The trivial scorers' AUC, the best possible one, warnings, and notes with the warnings first.

    Args:
        measured: (n,) the test rows that results are measured on; all of them if none.
    """
    rows = dataset.interactions
    test = rows.split == TEST if measured is None else measured
    return {
        "data": dataset.name,
        **measured_on(rows, test),
        "warnings": list(dataset.warnings),
        "notes": [*(f"warning: {told}" for told in dataset.warnings), *dataset.notes],
    }


def measured_on(rows: Interactions, test: NDArray[np.bool_]) -> dict[str, object]:
    """What can be said of some test rows without a model: the trivial scorers' AUC, and the best possible one."""
    best = None if rows.truth is None else auc(rows.truth[test], rows.label[test])
    return {"trivial": trivial_auc(rows, test), "best_possible_auc": best}
