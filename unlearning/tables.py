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
    """All methods, means over the seeds: how well they answer, what the deletion cost, and what an answer costs."""
    return Group(_quality(result), "", _cost(result), "", _inference(result))


def _quality(result: dict[str, Any]) -> Table:
    seeds = len(result["seeds"])
    what = f"{result['forget']} {result['unit']}{'s' if result['forget'] > 1 else ''} deleted"
    table = _table(f"{result['data']}, {what}" + (f", mean of {seeds} seeds" if seeds > 1 else ""))
    for name in ("AUC before", "after", "to retraining", "UAUC", "LogLoss"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("exact")
    for name, rows in _by_method(result):
        table.add_row(
            Text(name), number(_mean(rows, "auc_before")), number(_mean(rows, "auc_after")),
            f"{_mean(rows, 'difference'):+.4f}", number(_mean(rows, "uauc_after")),
            number(_mean(rows, "logloss_after")), " / ".join(sorted({EXACT[row["exact"]] for row in rows})),
        )  # fmt: skip
    return table


def _cost(result: dict[str, Any]) -> Table:
    table = _table("the deletion, beside retraining everything")
    for name in ("shards again", "rows", "", "time", "", "withdrawn in", "size"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, rows in _by_method(result):
        table.add_row(
            Text(name), f"{_mean(rows, 'shards_touched'):.1f} of {rows[0]['shards']}",
            count(round(_mean(rows, "rows_processed"))), _part(rows, "rows_processed", "rows_full"),
            duration(_mean(rows, "seconds")), _part(rows, "seconds", "seconds_full"),
            f"{1000 * _mean(rows, 'withdrawn_seconds'):.0f} ms", size(_mean(rows, "bytes")),
        )  # fmt: skip
    return table


def _by_method(result: dict[str, Any]) -> Iterator[tuple[str, list[Row]]]:
    for name in dict.fromkeys(row["name"] for row in result["methods"]):
        yield name, [row for row in result["methods"] if row["name"] == name]


def _mean(rows: list[Row], key: str) -> float:
    return statistics.fmean(row[key] for row in rows)


def _part(rows: list[Row], key: str, full: str) -> str:
    """How many times less than retraining everything."""
    return f"1/{_mean(rows, full) / _mean(rows, key):.1f}" if _mean(rows, key) else "none"


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
