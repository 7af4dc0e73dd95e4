"""A split measured anew, as what is served answers it now: for `fedrec evaluate --split` and for Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fedrec.config import RunConfig
from fedrec.data.dataset import SPLITS, TEST, VALID
from fedrec.ensemble.evaluation import Evaluated, per_user, summary
from fedrec.errors import FedrecError, UsageError
from fedrec.tasks import task_of
from server.simulated_run import SimulatedRun

MEASURED = (SPLITS[VALID], SPLITS[TEST])
_TABLES = (".parquet", ".csv")


def evaluate_split(path: Path, split: str, table: Path | None = None) -> dict[str, Any]:
    """Metrics of each client, of all rows and of warm and cold titles, with intervals over people, of a run or a model.

    Args:
        split: "valid" or "test".
        table: where a line a person is written, .parquet or .csv.

    Raises:
        UsageError: there is no such split, or no table can be written there.
        FedrecError: the split has no rows, or a client's home is not here or serves nothing that may answer.
    """
    if split not in MEASURED:
        raise UsageError(f"split {split}: choose {' or '.join(MEASURED)}")
    if table is not None:
        _check_table(table)
    config, parts = _answered(path, SPLITS.index(split))
    if not any(len(part.scored) for part in parts):
        raise FedrecError(f"{path}: there are no {split} rows to measure on")
    if table is not None:
        lines = per_user(parts)
        if table.suffix == ".csv":
            lines.to_csv(table, index=False)
        else:
            lines.to_parquet(table, index=False)
    return {"run": path.name, "split": split, **summary(parts, task_of(config))}


def _check_table(path: Path) -> None:
    if path.suffix not in _TABLES:
        raise UsageError(f"{path}: for a line a person, name a file that ends in {' or '.join(_TABLES)}")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it first")


def _answered(path: Path, split: int) -> tuple[RunConfig, Sequence[Evaluated]]:
    """The rows of a split as they are answered now."""
    from unlearning.central.model_folder import ModelFolder, is_model

    if is_model(path):
        from unlearning.central.evaluate_split import evaluate_split as answered

        return ModelFolder(path).config, answered(ModelFolder(path), split)
    from server.freshness import check_current

    check_current(run := SimulatedRun(path))
    return run.config, run.evaluate(split)
