"""The look of a table on the terminal: a bold title, no lines, names at the left and numbers at the right."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text


def table_of(title: str, names: str = "", numbers: Sequence[str] = ()) -> Table:
    """A table without rows, under the headings of its names and of its numbers."""
    table = Table(title=Text(title, "bold"), title_justify="left", box=None, pad_edge=False, header_style="dim")
    table.add_column(names)
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
