"""From a configuration and its data set to what every kind of run needs: this machine's choices, a base, facts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedrec import hardware
from fedrec.base_models.checks import check_base
from fedrec.base_models.named import base_name
from fedrec.config import RunConfig
from fedrec.data.dataset import TEST, Dataset, Interactions
from fedrec.data.regressions import both_regressions
from fedrec.data.trivial import trivial_scores
from fedrec.metrics import auc, uauc
from fedrec.models.base import Base, load_base
from fedrec.models.targets import check_targets
from fedrec.privacy.accounting import noise_of, steps_of
from fedrec.privacy_settings import PrivacyConfig


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
    train = hardware.resolve(config.train)
    return config.model_copy(update={"train": train, "base": base, "data": data, "privacy": _calibrated(config)})


def _calibrated(config: RunConfig) -> PrivacyConfig:
    """How much noise the budget needs, for all clients alike: steps do not depend on how many people one has."""
    privacy = config.privacy
    if not privacy.active:
        return privacy
    steps = steps_of(privacy, config.train.epochs) * config.federation.rounds
    return privacy.model_copy(update={"noise": noise_of(privacy, steps)})


def checked_base(config: RunConfig, dataset: Dataset) -> tuple[str, Base]:
    """The name of a run's base model, and the model, found good for the data; without item tokens.

    Raises:
        FedrecError: it cannot be had, or is none for them.
    """
    named = base_name(dataset, config)
    base = load_base(named, device=config.train.device, precision=config.train.precision)
    check_base(base, config.prompt, dataset.catalogue.titles)
    check_targets(base.model, config.lora)
    return named, base


def _absolute(path: str | None) -> str | None:
    return None if path is None else str(Path(path).resolve())


def facts_of(dataset: Dataset, measured: NDArray[np.bool_] | None = None) -> dict[str, object]:
    """What `measured_on` says, whether the catalogue is a list of its own, warnings, and notes with the warnings first.

    Args:
        measured: (n,) the test rows that results are measured on; all of them if none.
    """
    rows = dataset.interactions
    test = rows.split == TEST if measured is None else measured
    return {
        "data": dataset.name,
        "listed": dataset.listed,
        **measured_on(rows, test),
        "warnings": list(dataset.warnings),
        "notes": [*(f"warning: {told}" for told in dataset.warnings), *dataset.notes],
    }


def measured_on(rows: Interactions, test: NDArray[np.bool_]) -> dict[str, object]:
    """What can be said of some test rows without a model: how the trivial scorers rank them, and the best possible.

    A scorer's UAUC at the split is of scores whose person part is that at the split: who has such a part only has none.
    """
    label, user, three = rows.label[test], rows.user[test], trivial_scores(rows, test)
    item, regressions = three["item"], both_regressions(rows, test)
    growing = {**three, **{name: scores for name, (scores, _) in regressions.items()}}
    at_split = {"item": item, "sum": item, **{name: scores for name, (_, scores) in regressions.items()}}
    truth = None if rows.truth is None else rows.truth[test]
    return {
        "trivial": {name: auc(scores, label) for name, scores in growing.items()},
        "trivial_uauc": {name: uauc(scores, label, user) for name, scores in growing.items()},
        "trivial_uauc_at_split": {name: uauc(scores, label, user) for name, scores in at_split.items()},
        "best_possible_auc": None if truth is None else auc(truth, label),
        "best_possible_uauc": None if truth is None else uauc(truth, label, user),
    }
