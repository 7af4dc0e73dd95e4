"""How the weights of mixed shards are best set: the error's reading, tau, the neighbours and the scale, one at a time.

    python -m experiments.exact_unlearning …                                  # makes the models
    python -m experiments.weighting runs/unlearning/unlearning-ml-100k-4/models/*-apa-nd

The shards are those of the comparison, after its deletion. Every setting is measured on the validation rows, by which
one may choose, and on the test rows, by which one may not.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.common import run_command, write_result
from fedrec.data.dataset import TEST, VALID
from fedrec.metrics import measure
from fedrec.scoring import by_person
from unlearning.central.model import ShardedModel

GRID: dict[str, tuple[Any, ...]] = {
    "scale": (0.5, 1.0, 1.5, 2.0, 3.0, 4.0),
    "tau": (0.0, 1.0, 10.0, 100.0, 1000.0),
    "neighbours": (20, 100, 400),
    "error": ("probability", "squared", "logloss"),
}


def measured(model: ShardedModel, changes: dict[str, Any]) -> dict[str, float]:
    """AUC and LogLoss on validation and test rows with some settings changed."""
    rows = model.table.interactions
    settings = model.method.aggregation.model_copy(update=changes)
    answers = model.answers_by(model.method.model_copy(update={"aggregation": settings}))
    found = {}
    for name, part in (("valid", VALID), ("test", TEST)):
        wanted = rows.split == part
        scores = answers.scores(model.encoder.windows(rows, wanted), len(rows), by_person(rows.user))[wanted]
        metrics = measure(scores, rows.label[wanted], rows.user[wanted])
        found |= {f"{name}_auc": metrics.auc, f"{name}_logloss": metrics.logloss}
    answers.close()
    return found


def main(
    models: Annotated[list[Path], typer.Argument(help="Folders of sharded models.")],
    vary: Annotated[str, typer.Option(help="Settings to vary; commas between.")] = ",".join(GRID),
    name: Annotated[str, typer.Option(help="Name of the result.")] = "weighting",
) -> None:
    """Measure every setting on every model, and write means."""
    opened = [ShardedModel(folder) for folder in models]
    table = []
    for setting in vary.split(","):
        for value in GRID[setting]:
            found = [measured(model, {setting: value}) for model in opened]
            means = {key: statistics.fmean(each[key] for each in found) for key in found[0]}
            table.append({"setting": setting, "value": value, **means})
            print({key: round(x, 4) if isinstance(x, float) else x for key, x in table[-1].items()}, flush=True)
            write_result(name, {"models": [folder.name for folder in models], "settings": table})


if __name__ == "__main__":
    run_command(main)
