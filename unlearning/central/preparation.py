"""From a configuration to its data and its base model, both found good: what every model of one place begins with."""

from __future__ import annotations

from dataclasses import dataclass

from fedrec import hardware
from fedrec.bases.checks import check_base
from fedrec.bases.named import base_name, with_base, with_items_of
from fedrec.config import RunConfig
from fedrec.data.dataset import Dataset
from fedrec.data.load import load_dataset
from fedrec.models.base import Base, load_base
from fedrec.models.targets import check_targets
from fedrec.tasks import encoder_of
from fedrec.tasks.task import Encoder


@dataclass(frozen=True)
class Prepared:
    """A configuration, settled by its base model, and what it names."""

    config: RunConfig
    dataset: Dataset
    base: Base
    encoder: Encoder


def prepare(config: RunConfig) -> Prepared:
    """
    Raises:
        FedrecError: the data cannot be read, or the base model is none for them.
    """
    dataset = load_dataset(config.data, config.seed)
    named = base_name(dataset, config)
    base = load_base(named, device=config.train.device, precision=config.train.precision)
    config = with_base(config, named, base)
    hardware.use_threads(config.train)
    check_base(base, config.prompt, dataset.catalogue.titles)
    check_targets(base.model, config.lora)
    base = with_items_of(base, config, dataset.catalogue)
    return Prepared(config, dataset, base, encoder_of(config, dataset.catalogue, base))
