"""Ranked titles for a person, on the terminal and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from fedrec.reporting.formatting import apart, clean

if TYPE_CHECKING:
    from fedrec.console.terminal import Terminal
    from fedrec.ensemble.ranking import Ranking


def ranking_json(run: str, user: str, client: str, found: Ranking) -> dict[str, Any]:
    """As `--json` tells it."""
    read = {"candidates": found.candidates, "read_in_full": found.read_in_full}
    return {"run": run, "user": user, "client": client, **read, "items": [vars(item) for item in found]}


def print_ranking(terminal: Terminal, user: str, client: str, found: Ranking) -> None:
    """A line a title, the best first."""
    table = Table(title=f"for user {escape(clean(user))} of {escape(client)}", title_justify="left")
    for name, justify in (("", "right"), ("item", "left"), ("title", "left"), ("score", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    scores = apart([item.score for item in found])
    for place, (item, score) in enumerate(zip(found, scores, strict=True), 1):
        table.add_row(str(place), escape(clean(item.item)), escape(clean(item.title, 200)), score)
    terminal.print(table)
    if found.read_in_full < found.candidates:
        of = f"{found.read_in_full:,} of {found.candidates:,}"
        terminal.print(f"{of} titles were read in full, the likeliest by their own tokens")
