"""What `fedrec unlearn compare --methods` may name, as a table on the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from fedrec.ensemble.aggregators import AGGREGATORS
from fedrec.reporting.terminal_table import table_of
from unlearning.comparison.compare import RETRAINING
from unlearning.methods import METHODS
from unlearning.partition import PARTITIONERS


def choices() -> RenderableType:
    """What `--methods` may name."""
    methods, partitioners, aggregators = (table_of(title) for title in ("methods", "partitioners", "aggregators"))
    for name in METHODS:
        kind = METHODS.load(name)
        pair = kind.by_user if kind.by_user == kind.by_row else f"{kind.by_user}; for rows {kind.by_row}"
        methods.add_row(name, Text("everything anew, in one shard" if name == RETRAINING else pair))
    for each in PARTITIONERS.values():
        partitioners.add_row(each.name, f"by {each.unit}{', strict' if each.strict else ''}", Text(each.source))
    for aggregator in AGGREGATORS.values():
        aggregators.add_row(aggregator.name, aggregator.form, Text(aggregator.source))
    for table in (methods, partitioners, aggregators):
        table.show_header = False
    return Group(methods, "", partitioners, "", aggregators)
