"""A comparison of methods on the terminal: progress over all shards while it goes, and the table at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from fedrec.aggregation import AGGREGATORS
from fedrec.output import warn
from fedrec.reporting.formatting import count, duration, number, percent, size
from fedrec.terminal import Terminal, terminal
from unlearning.compare import RETRAINING, Row, Telling
from unlearning.figures import FORMS
from unlearning.method import PUBLISHED, Unit
from unlearning.partition import PARTITIONERS
from unlearning.standings import EXACTNESS, Standing, standings


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


def choices() -> RenderableType:
    """What `--methods` may name."""
    methods, partitioners, aggregators = (_table(title) for title in ("methods", "partitioners", "aggregators"))
    for name, pairs in PUBLISHED.items():
        pair = pairs["user"] if len({*pairs.values()}) == 1 else f"{pairs['user']}; for rows {pairs['row']}"
        methods.add_row(name, Text("everything anew, in one shard" if name == RETRAINING else pair))
    for each in PARTITIONERS.values():
        partitioners.add_row(each.name, f"by {each.unit}{', strict' if each.strict else ''}", Text(each.source))
    for aggregator in AGGREGATORS.values():
        aggregators.add_row(aggregator.name, aggregator.form, Text(aggregator.source))
    for table in (methods, partitioners, aggregators):
        table.show_header = False
    return Group(methods, "", partitioners, "", aggregators)


def results(result: dict[str, Any]) -> RenderableType:
    """All methods, means over the seeds: how well they answer, what the deletion cost, and what an answer costs."""
    methods = standings(result)
    timed = ("", _inference(result)) if result["inference"] else ()
    return Group(_quality(result, methods), "", _cost(methods), *timed)


def _quality(result: dict[str, Any], methods: Sequence[Standing]) -> Table:
    seeds = len(result["seeds"])
    what = f"{result['forget']} {result['unit']}{'s' if result['forget'] > 1 else ''} deleted"
    table = _table(f"{result['data']}, {what}" + (f", mean of {seeds} seeds" if seeds > 1 else ""))
    for name in ("AUC before", "after", "to retraining", "UAUC", "LogLoss"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("exact")
    for method in methods:
        difference = method.mean("difference")
        table.add_row(
            Text(method.name), number(method.mean("auc_before")), number(method.mean("auc_after")),
            number(None) if difference is None else f"{difference:+.4f}", number(method.mean("uauc_after")),
            number(method.mean("logloss_after")), EXACTNESS[method.exact][0],
        )  # fmt: skip
    return table


def _cost(methods: Sequence[Standing]) -> Table:
    table = _table("the deletion, beside retraining everything")
    for name in ("shards again", "rows", "", "time", "", "withdrawn in", "size"):
        table.add_column(name, justify="right", no_wrap=True)
    for method in methods:
        rows, touched = method.mean("rows_processed"), method.mean("shards_touched")
        table.add_row(
            Text(method.name), f"{touched:.1f} of {method.rows[0]['shards']}",
            count(None if rows is None else round(rows)),
            percent(method.share("rows_processed")), duration(method.mean("seconds")), percent(method.share("seconds")),
            f"{1000 * (method.mean('withdrawn_seconds') or 0):.0f} ms", size(method.mean("bytes")),
        )  # fmt: skip
    return table


def _inference(result: dict[str, Any]) -> Table:
    table = _table("milliseconds per row answered")
    shards = list(dict.fromkeys(row["shards"] for row in result["inference"]))
    for number_ in shards:
        table.add_column(f"{number_} shard{'s' if number_ > 1 else ''}", justify="right")
    for form in dict.fromkeys(row["form"] for row in result["inference"]):
        known = {row["shards"]: row["seconds_per_row"] for row in result["inference"] if row["form"] == form}
        table.add_row(FORMS[form][0], *(f"{1000 * known[number_]:.2f}" for number_ in shards))
    return table


def _table(title: str) -> Table:
    table = Table(title=Text(title, "bold"), title_justify="left", box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    return table
