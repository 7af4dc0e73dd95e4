"""From the configuration to the rows of a run: read or generate, split, and perhaps keep a few train rows only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fedrec.data.dataset import HISTORY, Dataset
from fedrec.data.split import doubtful_split, keep_train_rows, resolve_rule, split_rows
from fedrec.data_settings import DataConfig


def load_dataset(config: DataConfig, seed: int) -> Dataset:
    """The data set that the configuration names, split.

    Args:
        seed: draws the train rows that are learned from with `train_rows`; the others only stand in histories.

    Raises:
        DataError: a fault in the data.
        UsageError: a fault in the configuration.
    """
    if config.path is None:
        from fedrec.data.generated import make_world

        data = make_world(config.world).private
    else:
        from fedrec.data.readers import read

        data = read(config)
    rule = resolve_rule(data.interactions, config.split)
    split = split_rows(data.interactions, rule, config.valid_fraction, config.test_fraction)
    notes = (*data.notes, f"split: {rule}")
    doubt = doubtful_split(data.interactions.label, split, rule)
    warnings = (*data.warnings, doubt) if doubt else data.warnings
    if config.train_rows is not None:
        split = np.where(keep_train_rows(split, config.train_rows, seed), split, HISTORY).astype(np.int8)
        notes += (f"train rows: {config.train_rows} drawn by the seed, the others stand in histories only",)
    return replace(data, interactions=replace(data.interactions, split=split), notes=notes, warnings=warnings)
