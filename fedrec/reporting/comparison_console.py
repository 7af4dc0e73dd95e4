"""A comparison of methods on the terminal: its tables at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fedrec.reporting.comparison_figures import FORMS
from fedrec.reporting.comparison_result import EXACTNESS, Standing, standings
from fedrec.reporting.formatting import duration, number, percent, rounded, signed, size
from fedrec.reporting.terminal_table import table_of
from fedrec.text import amount


def results(result: dict[str, Any]) -> RenderableType:
    """All methods, means over the seeds: how well they answer, what the deletion cost, and what an answer costs."""
    methods = standings(result)
    timed = ("", _inference(result)) if result["inference"] else ()
    forgot = ("", _forgetting(result, methods)) if "jsd" in methods[0].rows[0] else ()
    return Group(_quality(result, methods), *forgot, "", _cost(methods), *timed)


def _quality(result: dict[str, Any], methods: Sequence[Standing]) -> Table:
    seeds = len(result["seeds"])
    what = f"{amount(result['forget'], result['unit'])} deleted"
    headings = ("AUC before", "after", "to retraining", "UAUC", "at split", "LogLoss")
    table = table_of(f"{result['data']}, {what}" + (f", mean of {seeds} seeds" if seeds > 1 else ""), numbers=headings)
    table.add_column("exact")
    for method in methods:
        metrics = [number(method.mean(key)) for key in ("uauc_after", "uauc_at_split_after", "logloss_after")]
        aucs = [number(method.mean("auc_before")), number(method.mean("auc_after")), signed(method.mean("difference"))]
        table.add_row(Text(method.name), *aucs, *metrics, EXACTNESS[method.exact][0])
    return table


def _forgetting(result: dict[str, Any], methods: Sequence[Standing]) -> Table:
    """Distances to the retrained model; a unit is what models scatter by that are retrained with other seeds."""
    headings = ("JSD", "units", "L2", "units", "members", "at 1 %", "teachers")
    table = table_of("on what was deleted, beside the retrained model", numbers=headings)
    before = [Standing("before", tuple(result["originals"]))] if result["originals"] else []
    for method in (*before, *methods):
        keys = {"jsd": 4, "jsd_scatter": 1, "l2": 4, "l2_scatter": 1, "membership_auc": 3, "membership_tpr": 3}
        figures = [number(method.mean(key), digits) for key, digits in keys.items()]
        table.add_row(
            Text(method.name), *figures, "" if method in before else duration(method.mean("seconds_teachers"))
        )
    return table


def _cost(methods: Sequence[Standing]) -> Table:
    headings = ("shards again", "rows", "", "time", "", "withdrawn in", "size")
    table = table_of("the deletion, beside retraining everything", numbers=headings)
    for method in methods:
        shards = f"{method.mean('shards_touched'):.1f} of {method.rows[0]['shards']}"
        rows = [rounded(method.mean("rows_processed")), percent(method.share("rows_processed"))]
        time = [duration(method.mean("seconds")), percent(method.share("seconds"))]
        withdrawn = f"{1000 * (method.mean('withdrawn_seconds') or 0):.0f} ms"
        table.add_row(Text(method.name), shards, *rows, *time, withdrawn, size(method.mean("bytes")))
    return table


def _inference(result: dict[str, Any]) -> Table:
    table = table_of("milliseconds per row answered")
    shards = list(dict.fromkeys(row["shards"] for row in result["inference"]))
    for number_ in shards:
        table.add_column(amount(number_, "shard"), justify="right")
    for form in dict.fromkeys(row["form"] for row in result["inference"]):
        known = {row["shards"]: row["seconds_per_row"] for row in result["inference"] if row["form"] == form}
        table.add_row(FORMS[form][0], *(f"{1000 * known[number_]:.2f}" for number_ in shards))
    return table
