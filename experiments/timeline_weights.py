"""One set of weights for a whole timeline, or one for every prompt: what a shared mixture of shards costs and saves.

    python -m experiments.exact_unlearning …                                  # makes the models
    python -m experiments.timeline_weights runs/unlearning/unlearning-ml-1m-like-users-8/models/*-apa-nd

The same test rows are answered by the same shards twice: each timeline in one pass with the weights of its first row,
and each row as a prompt by itself, with weights of its own.
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from experiments.common import run_command, write_result
from fedrec.data.dataset import TEST
from fedrec.metrics import auc
from unlearning.central.model import ShardedModel


def compared(folder: Path, rows: int) -> dict[str, Any]:
    """Both ways over the timelines of users drawn until there are so many test rows."""
    model = ShardedModel(folder)
    table = model.table.interactions
    tests = table.split == TEST
    tested = np.flatnonzero(tests)
    users = np.random.default_rng(0).permutation(np.unique(table.user[tested]))
    counts = np.cumsum(np.bincount(table.user[tested], minlength=len(table.user_ids))[users])
    wanted = tests & np.isin(table.user, users[: 1 + int(np.searchsorted(counts, rows))])
    timelines = model.encoder.windows(table, wanted)
    prompts = []
    for row in np.flatnonzero(wanted):
        alone = np.zeros(len(table), bool)
        alone[row] = True
        prompts += model.encoder.windows(table, alone)
    found: dict[str, Any] = {"model": folder.name, "rows": int(wanted.sum())}
    scores = {}
    for name, windows in (("timelines", timelines), ("prompts", prompts)):
        began = time.perf_counter()
        scores[name] = model.answers.scores(windows, len(table))[wanted]
        found[name] = {"seconds": time.perf_counter() - began, "auc": auc(scores[name], table.label[wanted])}
    found["mean_difference_of_scores"] = float(np.abs(scores["timelines"] - scores["prompts"]).mean())
    found["auc_of_timelines_minus_prompts"] = found["timelines"]["auc"] - found["prompts"]["auc"]
    found["timelines_times_faster"] = found["prompts"]["seconds"] / found["timelines"]["seconds"]
    return found


def main(
    models: Annotated[list[Path], typer.Argument(help="Folders of sharded models.")],
    rows: Annotated[int, typer.Option(help="Test rows of each, about.")] = 1000,
) -> None:
    """Compare on every model, and write the result."""
    found = []
    for folder in models:
        found.append(compared(folder, rows))
        print(json.dumps(found[-1]), flush=True)
    keys = ("auc_of_timelines_minus_prompts", "timelines_times_faster")
    means = {key: statistics.fmean(row[key] for row in found) for key in keys}
    write_result("timeline_weights", {"means": means, "models": found})


if __name__ == "__main__":
    run_command(main)
