"""Which base model a configuration means: the one that is named, or the embedded one for its catalogue."""

from __future__ import annotations

from pathlib import Path

from fedrec import hardware
from fedrec.config import RunConfig
from fedrec.data.dataset import Catalogue, Dataset
from fedrec.data.generated import World
from fedrec.data_settings import DataConfig
from fedrec.models.base import Base
from fedrec.models.item_tokens import Items, with_items


def base_name(dataset: Dataset, config: RunConfig) -> str:
    """The base model that is named, or the folder of the embedded one for this catalogue."""
    base = config.base
    if base and (not Path(base).is_absolute() or Path(base).is_dir()):
        return base
    if base and not is_embedded(base, dataset.catalogue, config):
        return base  # which is not there
    return str(embedded_base(dataset.catalogue, config))


def embedded_base(catalogue: Catalogue, config: RunConfig, *, force: bool = False) -> Path:
    """The folder of the embedded base model for this run; built where it is not there, or anew where forced."""
    from fedrec.models.embedded import Recipe, ensure_embedded

    world = world_of(config.data)
    return ensure_embedded(catalogue, world, Recipe(rank=config.items.rank), force=force)


def is_embedded(base: str, catalogue: Catalogue, config: RunConfig) -> bool:
    """Whether a folder, wherever the cache was then, is that of the embedded base model for this run."""
    from fedrec.models.embedded import Recipe, embedded_folder

    world = world_of(config.data)
    return Path(base).name == embedded_folder(catalogue, world, Recipe(rank=config.items.rank)).name


def world_of(data: DataConfig) -> World | None:
    """The generated world, where the data are from it."""
    from fedrec.data.generated import make_world

    return make_world(data.world) if data.path is None else None


def with_items_of(base: Base, config: RunConfig, catalogue: Catalogue) -> Base:
    """The base with the item tokens of a run, if it has such."""
    rank = config.items.rank
    return with_items(base, Items(catalogue.titles, rank, config.prompt.title_tokens) if rank else None)


def with_base(config: RunConfig, name: str, base: Base) -> RunConfig:
    """The configuration with its base model, and the number of threads and the precision that are best for it."""
    train = hardware.settle_threads(config.train, base.model).model_copy(update={"precision": base.precision})
    return config.model_copy(update={"base": name, "train": train})
