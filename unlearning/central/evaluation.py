"""What a sharded model is like: scores of its test rows, and result.json in the form that a run of a federation has.

facts.json   what is known since the training: of the data and the base, the time it took, and what was measured before
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fedrec.data.dataset import TEST, TRAIN, Dataset
from fedrec.files import read_json, write_json
from fedrec.preparation import facts_of, measured_on
from fedrec.protocol.adapters import model_hash
from fedrec.reporting.comparison_result import without_federation
from fedrec.reporting.run_page import write_report
from unlearning.central.model import ShardedModel
from unlearning.central.model_folder import CENTRAL, FACTS, RESULT, ModelFolder
from unlearning.workflow.erasures import erasures

_PAGE = "report.html"
_ERASED = "rows were erased after training: what was measured on them before is left out"


def note_facts(model: ShardedModel, dataset: Dataset) -> None:
    """Write down what is known before the training, and what the untrained model is like."""
    facts = {"base": model.base.name, **facts_of(dataset), "start": _measured(model), "seconds": 0.0}
    write_json(model.folder / FACTS, {**facts, "rows": len(model.interactions)})


def note_seconds(model: ShardedModel, seconds: float) -> None:
    """Add to the time that the training took."""
    facts = read_json(model.folder / FACTS)
    write_json(model.folder / FACTS, {**facts, "seconds": facts["seconds"] + seconds})


def measure(model: ShardedModel) -> dict[str, Any]:
    """Measure what is served on the test rows, and write the result."""
    rows, facts, method = model.interactions, read_json(model.folder / FACTS), model.method
    (now, margins), erased = _measured(model, last=True), len(rows) < facts["rows"]
    trained = int((rows.split == TRAIN).sum())
    start = {"round": 0, **_told(*(({}, {}) if erased else facts["start"])), "seconds": 0.0}
    last = {"round": method.slices, **_told(now, margins), "seconds": facts["seconds"]}
    result = {
        "run": model.at_rest.name,
        "strategy": CENTRAL,
        "rounds": method.slices,
        "shards": method.shards,
        "seed": model.config.seed,
        "data": facts["data"],
        "base": facts["base"],
        "method": method.model_dump(mode="json"),
        "clients": [{"id": CENTRAL, "users": len(rows.user_ids), "train_rows": trained, **now}],
        "overall": last["overall"],
        "measured": 1.0,
        **measured_on(rows, rows.split == TEST),
        "history": [start, last],
        "bytes_up": 0,
        "bytes_down": 0,
        "seconds": facts["seconds"],
        "adapter_hash": model_hash(list(model.ensemble.hashes().values())),
        "config": without_federation(model.config.model_dump(mode="json")),
        "notes": [*facts["notes"], *([_ERASED] if erased else [])],
        "baselines": [],
    }
    write_json(model.folder / RESULT, result)
    return result


def write_page(model: ModelFolder, database: str | None = None) -> Path:
    """Write the page of what was measured, with the erasure requests; where it is.

    Args:
        database: URL of the ledger; None = where it is anyway.
    """
    write_report(model.result, model.folder / _PAGE, erasures(model, database))
    return model.folder / _PAGE


def _measured(model: ShardedModel, last: bool = False) -> tuple[dict[str, float], dict[str, float]]:
    """The metrics of what is served, and the margins of some.

    Args:
        last: whether the model is trained: then its scores are kept in its folder.
    """
    answers = model.answers_by(model.method)
    scores, test = model.test_scores(answers)
    at_split = model.scores_at_split(last, answers)
    answers.close()
    if last:
        tested = model.interactions.take(test)
        model.ensemble.scores.keep(model.method.slices, answers.shards, tested, model.catalogue, scores[test])
    return model.metrics(scores, test, at_split), model.margins(scores, test, at_split)


def _told(metrics: Mapping[str, float], margins: Mapping[str, float]) -> dict[str, Any]:
    """A round as a federation's history tells it."""
    auc = metrics.get("auc", np.nan)
    spread = {"mean_auc": auc, "worst_auc": auc, "std_auc": 0.0} if metrics else {}
    clients = [{"id": CENTRAL, **metrics}] if metrics else []
    overall = {**metrics, **margins, **spread}
    alone = {"participants": [CENTRAL], "dropped": [], "clients": clients, "overall": overall}
    return {**alone, "bytes_up": 0, "bytes_down": 0, "share": 1.0}
