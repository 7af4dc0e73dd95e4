"""What an attack found, on the terminal."""

from __future__ import annotations

import math

from rich.console import Console
from rich.text import Text

from fedrec.privacy.attacks.finding import Finding, Report
from fedrec.reporting.formatting import clean, number
from fedrec.reporting.terminal_table import table_of

DIGITS = 3


def print_attack(console: Console, report: Report) -> None:
    """A line a figure with its 95 % interval, and what has to be known to read them."""
    table = table_of(f"{clean(report.run)}: attack on {clean(report.attack)}", "what is read", ("", "figure", "95 %"))
    table.add_column("chance", justify="right", no_wrap=True)
    for each in report.findings:
        cells = (clean(each.read), clean(each.measure), spelled(each.value), interval(each), spelled(each.chance))
        table.add_row(*map(Text, cells))
    console.print(table)
    for note in report.notes:
        console.print(Text(clean(note, 400), "dim"), soft_wrap=True)


def interval(finding: Finding) -> str:
    """From … to …; nothing where chance had no part."""
    if finding.low == finding.high == finding.value or math.isnan(finding.low):
        return ""
    return f"{spelled(finding.low)} to {spelled(finding.high)}"


def spelled(value: float | None) -> str:
    """A dash where it is unknown."""
    return number(None if value is None or math.isnan(value) else value, DIGITS)
