"""A comparison of methods on the terminal: what it may compare, and a line a method when that is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from fedrec.console.json_output import warn
from fedrec.console.progress import side_by_side
from fedrec.console.terminal import Terminal
from fedrec.ensemble.aggregators import AGGREGATORS
from fedrec.reporting.comparison_result import EXACTNESS
from fedrec.reporting.formatting import duration, number
from fedrec.reporting.terminal_table import table_of
from fedrec.text import amount
from unlearning.comparison.compare import ComparisonListener, Row
from unlearning.comparison.forgetting import RETRAINING
from unlearning.compute.workers import OnStep
from unlearning.methods import METHODS
from unlearning.methods.method import Unit
from unlearning.partition import PARTITIONERS


@dataclass(frozen=True)
class ConsoleListener(ComparisonListener):
    """Shows every shard in training, and a line for each method that is done.

    Attributes:
        unit: what is deleted.
    """

    console: Terminal
    unit: Unit

    def on_data(self, warnings: Sequence[str]) -> None:
        warn(warnings)

    @contextmanager
    def training(self, name: str, seed: int) -> Iterator[OnStep]:
        with side_by_side() as tell:
            yield lambda shard, step, steps: tell(f"{name}, seed {seed}, shard {shard}", step, steps)

    def on_row(self, row: Row) -> None:
        line = (
            f"{row['name']}, seed {row['seed']}: AUC {number(row['auc_before'])} → {number(row['auc_after'])}, "
            f"{row['shards_touched']} of {amount(row['shards'], 'shard')} again, {duration(row['seconds'])} "
            f"instead of {duration(row['seconds_full'])}, exact: {EXACTNESS[row['exact']][0]}"
        )
        self.console.print(line, markup=False, soft_wrap=True)
        if why := dear(row, self.unit):
            self.console.print(f"  {why}", style="yellow", markup=False, soft_wrap=True)


def dear(row: Row, unit: Unit) -> str | None:
    """Why a deletion took longer than training everything again, where it did."""
    if row["name"] == RETRAINING or row["seconds"] <= row["seconds_full"]:
        return None
    if row["exact"] == "no":
        return "dearer than retraining: its passes over what is deleted, and its teachers'"
    if unit == "user" and PARTITIONERS[row["partition"]].unit == "row":
        return f"dearer than retraining: {row['partition']} sorts rows, and a person's rows are in many shards"
    if row["shards_touched"] == row["shards"]:
        return "dearer than retraining: what was deleted was in every shard; more shards, or fewer deletions at once"
    return "dearer than retraining: so few rows train faster than shards are started and judged"


def choices() -> RenderableType:
    """What `fedrec unlearn compare --methods` may name."""
    methods, partitioners, aggregators = (table_of(title) for title in ("methods", "partitioners", "aggregators"))
    for name in METHODS:
        kind = METHODS.load(name)
        pair = kind.by_user if kind.by_user == kind.by_row else f"{kind.by_user}; for rows {kind.by_row}"
        told = "approximate, in one shard" if kind.approximate else pair
        methods.add_row(name, Text("everything anew, in one shard" if name == RETRAINING else told))
    for each in PARTITIONERS.values():
        partitioners.add_row(each.name, f"by {each.unit}{', strict' if each.strict else ''}", Text(each.source))
    for aggregator in AGGREGATORS.values():
        aggregators.add_row(aggregator.name, aggregator.form, Text(aggregator.source))
    for table in (methods, partitioners, aggregators):
        table.show_header = False
    return Group(methods, "", partitioners, "", aggregators)
