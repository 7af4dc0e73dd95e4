"""A comparison of methods on the terminal: progress over all shards while it goes, and the table at the end."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from fedrec.summary import count, duration, number, size
from unlearning.compare import Row, Telling

EXACT = {"strict": "strict", "given-partition": "given its partition", "no": "no"}


@contextmanager
def telling(console: Console) -> Iterator[Telling]:
    """Bars of every shard in training, which vanish, and a line for each method that is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def on_method(name: str, seed: int) -> Any:
            tasks: dict[int, TaskID] = {}
            for task in progress.task_ids:
                progress.remove_task(task)

            def on_step(shard: int, step: int, steps: int) -> None:
                if shard not in tasks:
                    tasks[shard] = progress.add_task(f"{name}, seed {seed}, shard {shard}", total=steps)
                progress.update(tasks[shard], completed=step, total=steps)

            return on_step

        def on_row(row: Row) -> None:
            console.print(line(row), markup=False, soft_wrap=True)

        yield Telling(on_method, on_row)


def line(row: Row) -> str:
    """One method and seed, when it is done."""
    return (
        f"{row['name']}, seed {row['seed']}: AUC {number(row['auc_before'])} → {number(row['auc_after'])}, "
        f"{row['shards_touched']} of {row['shards']} shards again, {duration(row['seconds'])} "
        f"instead of {duration(row['seconds_full'])}, exact: {EXACT[row['exact']]}"
    )


def results(result: dict[str, Any]) -> RenderableType:
    """All methods, means over the seeds, and what an answer costs."""
    return Group(_methods(result), "", _inference(result))


def _methods(result: dict[str, Any]) -> Table:
    seeds = len(result["seeds"])
    what = f"{result['forget']} {result['unit']}{'s' if result['forget'] > 1 else ''} deleted"
    mean = f", mean of {seeds} seeds" if seeds > 1 else ""
    table = _table(f"{result['data']}: {what}{mean}")
    for name in ("AUC before", "after", "to retraining", "UAUC", "LogLoss", "shards again", "rows", "of full", "time",
                 "of full", "size"):  # fmt: skip
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("exact")
    for name in dict.fromkeys(row["name"] for row in result["methods"]):
        rows = [row for row in result["methods"] if row["name"] == name]

        def mean_of(key: str, rows: list[Row] = rows) -> float:
            return statistics.fmean(row[key] for row in rows)

        table.add_row(
            Text(name), number(mean_of("auc_before")), number(mean_of("auc_after")), f"{mean_of('difference'):+.4f}",
            number(mean_of("uauc_after")), number(mean_of("logloss_after")),
            f"{mean_of('shards_touched'):.1f} of {rows[0]['shards']}", count(round(mean_of("rows_processed"))),
            f"1/{mean_of('rows_full') / max(mean_of('rows_processed'), 1):.1f}", duration(mean_of("seconds")),
            f"1/{mean_of('seconds_full') / mean_of('seconds'):.1f}", size(mean_of("bytes")),
            Text("/".join(sorted({EXACT[row["exact"]] for row in rows}))),
        )  # fmt: skip
    return table


def _inference(result: dict[str, Any]) -> Table:
    table = _table("milliseconds per row answered")
    shards = list(dict.fromkeys(row["shards"] for row in result["inference"]))
    for number_ in shards:
        table.add_column(f"{number_} shard{'s' if number_ > 1 else ''}", justify="right")
    names = {"ND": "mixed (ND)", "D": "mixed (D)", "passes": "one pass a shard"}
    for form in dict.fromkeys(row["form"] for row in result["inference"]):
        known = {row["shards"]: row["seconds_per_row"] for row in result["inference"] if row["form"] == form}
        table.add_row(names[form], *(f"{1000 * known[number_]:.2f}" for number_ in shards))
    return table


def _table(title: str) -> Table:
    table = Table(title=Text(title, "bold"), title_justify="left", box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    return table
