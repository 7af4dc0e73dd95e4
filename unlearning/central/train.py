"""A sharded model from its configuration to one that can be asked, and asked to forget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fedrec import lock
from fedrec.base_models.named import with_base
from fedrec.config import RunConfig
from fedrec.data.load import load_dataset
from fedrec.errors import Interrupted, UsageError, command
from fedrec.files import read_json
from fedrec.preparation import checked_base
from unlearning.central.evaluation import measure, note_facts, note_seconds, write_page
from unlearning.central.model import ShardedModel
from unlearning.central.model_folder import RESULT, is_model
from unlearning.compute.workers import OnStep, Workers
from unlearning.methods.method import Method


def create(folder: Path, config: RunConfig, method: Method, replace: bool = False) -> list[str]:
    """A new model, untrained; the warnings of its data.

    Raises:
        UsageError: something is there already.
        Interrupted: stopped, and nothing of it is left.
    """
    if is_model(folder):
        if not replace:
            mend = f"continue it with {command('unlearn train --resume', folder)}, throw it away with --replace"
            raise UsageError(f"{folder} holds a model: {mend}, or choose another --out")
        lock.empty(folder)
    if lock.content(folder):
        raise UsageError(f"{folder} is not empty: choose another --out")
    try:
        dataset = load_dataset(config.data, config.seed)
        config = with_base(config, *checked_base(config, dataset))
        note_facts(ShardedModel.create(folder, config, method, dataset), dataset)
    except BaseException as error:
        lock.empty(folder)  # half made, it is none
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted("stopped before there was a model; the same command again begins anew") from None
        raise
    return list(dataset.warnings)


def train(folder: Path, where: Callable[[int], Workers], on_step: OnStep) -> dict[str, Any]:
    """Train what is missing of a model, measure it, and write its page; the result. A finished one stays as it is.

    Args:
        where: so many shards are trained.

    Raises:
        UsageError: no model is there.
        Interrupted: stopped; the same again goes on.
    """
    if not is_model(folder):
        raise UsageError(f"{folder}: no sharded model there; `fedrec unlearn train` makes one")
    if (folder / RESULT).exists():
        return dict(read_json(folder / RESULT))
    model = ShardedModel(folder)
    try:
        note_seconds(model, model.train(where(model.method.shards), on_step).seconds)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; continue with {model.at_rest.resume}") from None
    result = measure(model)
    write_page(model.at_rest)
    return result
