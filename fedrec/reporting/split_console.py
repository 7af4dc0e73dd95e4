"""A split that was measured anew, on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from fedrec.files import finite
from fedrec.reporting.formatting import clean, count, number
from fedrec.reporting.run_result import MAX_CLIENTS, RANKED
from fedrec.reporting.terminal_table import table_of


def print_split(console: Console, result: dict[str, Any]) -> None:
    """A line a client, then all rows with the 95 % interval over people, and warm and cold titles."""
    result = finite(result)
    headings = ("people", "rows", "AUC", "UAUC", "at split", "LogLoss")
    table = table_of(f"{clean(result['run'])}: {result['split']} rows", "client", headings)
    for client in result["clients"][:MAX_CLIENTS]:
        table.add_row(*_cells(clean(client["id"]), client))
    if (hidden := len(result["clients"]) - MAX_CLIENTS) > 0:
        table.add_row(Text(f"({hidden} more: --json)", "dim"))
    table.add_section()
    for name, key in (("all rows", "overall"), ("warm titles", "warm"), ("cold titles", "cold")):
        table.add_row(*_cells(name, result[key]), style="bold" if key == "overall" else "")
        if any(result[key].get(f"{each}_margin") is not None for each in RANKED):
            margins = (number(result[key].get(f"{each}_margin")) for each in RANKED)
            table.add_row("± (95 %)", "", "", *margins, "")
    console.print(table)


def _cells(name: str, metrics: dict[str, Any]) -> list[Text]:
    figures = (number(metrics.get(key)) for key in (*RANKED, "logloss"))
    return [Text(cell) for cell in (name, count(metrics["people"]), count(metrics["examples"]), *figures)]
