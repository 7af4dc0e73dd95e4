"""A comparison of methods on the terminal while it goes: bars of the shards in training, a line a method when done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from fedrec.console.json_output import warn
from fedrec.console.terminal import Terminal, terminal
from fedrec.reporting.comparison_result import EXACTNESS
from fedrec.reporting.formatting import duration, number
from unlearning.comparison.compare import RETRAINING, Row, Telling
from unlearning.methods.method import Unit
from unlearning.partition import PARTITIONERS


@contextmanager
def telling(console: Terminal, unit: Unit) -> Iterator[Telling]:
    """Bars of every shard in training, which vanish, and a line for each method that is done.

    Args:
        unit: what is deleted.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=terminal(beside=True), transient=True) as progress:

        def on_method(name: str, seed: int) -> Any:
            tasks: dict[int, TaskID] = {}
            for task in progress.task_ids:
                progress.remove_task(task)
            progress.start()

            def on_step(shard: int, step: int, steps: int) -> None:
                if shard not in tasks:
                    tasks[shard] = progress.add_task(f"{name}, seed {seed}, shard {shard}", total=steps)
                progress.update(tasks[shard], completed=step, total=steps)

            return on_step

        def on_row(row: Row) -> None:
            progress.stop()  # it may be the same terminal
            console.print(line(row), markup=False, soft_wrap=True)
            if why := dear(row, unit):
                console.print(f"  {why}", style="yellow", markup=False, soft_wrap=True)

        yield Telling(warn, on_method, on_row)


def line(row: Row) -> str:
    """One method and seed, when it is done."""
    return (
        f"{row['name']}, seed {row['seed']}: AUC {number(row['auc_before'])} → {number(row['auc_after'])}, "
        f"{row['shards_touched']} of {row['shards']} shards again, {duration(row['seconds'])} "
        f"instead of {duration(row['seconds_full'])}, exact: {EXACTNESS[row['exact']][0]}"
    )


def dear(row: Row, unit: Unit) -> str | None:
    """Why a deletion took longer than training everything again, where it did."""
    if row["name"] == RETRAINING or row["seconds"] <= row["seconds_full"]:
        return None
    if unit == "user" and PARTITIONERS[row["partition"]].unit == "row":
        return f"dearer than retraining: {row['partition']} sorts rows, and a person's rows are in many shards"
    if row["shards_touched"] == row["shards"]:
        return "dearer than retraining: what was deleted was in every shard; more shards, or fewer deletions at once"
    return "dearer than retraining: so few rows train faster than shards are started and judged"
