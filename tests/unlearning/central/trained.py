"""Small sharded models that can be asked, and asked to forget, as `fedrec unlearn train` leaves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fedrec.config import load
from fedrec.preparation import resolve
from unlearning.central import train as training
from unlearning.central.executor import CentralExecutor
from unlearning.central.model import ShardedModel
from unlearning.central.model_folder import ModelFolder
from unlearning.compute.workers import InProcess, Workers
from unlearning.methods import method_named
from unlearning.workflow.execution import Execution
from unlearning.workflow.workflow import Workflow

SPLIT = {"data.split": "user-time", "data.valid_fraction": 0.2}


def trained(folder: Path, settings: dict[str, Any], method: str = "strict-hash", **how: int) -> Path:
    config = resolve(load(overrides={**SPLIT, **settings}))
    training.create(folder, config, method_named(method, **how))
    training.train(folder, lambda _: InProcess(), lambda *_: None)
    return folder


def execution(folder: Path, said: list[str] | None = None, workers: Workers = InProcess()) -> Execution:  # noqa: B008
    """What a new process does."""
    model = ShardedModel(folder)
    workflow = Workflow(model.at_rest)
    operator, _ = workflow.ensure_one()
    executor = CentralExecutor(model, workers, workflow.ledger)
    return Execution(workflow, executor, operator, (said if said is not None else []).append)


def served(folder: Path) -> dict[str, list[str]]:
    hashes = ModelFolder(folder).ensemble.hashes()
    assert len(hashes) == ModelFolder(folder).method.shards
    return {"central": list(hashes.values())}
