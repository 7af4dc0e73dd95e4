"""Attacks on the page and the terminal: every figure with its interval, and no name that could do harm."""

from __future__ import annotations

import io
import math

from rich.console import Console

from fedrec.privacy.attacks.finding import Finding, Report
from fedrec.reporting.attack_console import print_attack
from fedrec.reporting.attack_section import picture
from fedrec.reporting.run_page import render
from tests.reporting.results import make_result

REPORT = Report(
    "titles",
    "a <b>run",
    "0",
    [
        Finding("item rows, as <i>sent", "AUC", 0.912, 0.881, 0.934, 0.5),
        Finding("one that failed", "AUC", math.nan, math.nan, math.nan, 0.5),
        Finding("counted", "epsilon", 3.0, 3.0, 3.0),
    ],
    ["A note."],
)


def test_the_page_shows_figures_intervals_and_chance_escaped() -> None:
    page = render(make_result(), attacks=[REPORT])
    assert "<i>sent" not in page
    for told in ("Which titles a client", "0.912", "0.881 to 0.934", "3.000", "A note."):
        assert told in page
    assert 'id="attacks"' not in render(make_result())
    assert picture(REPORT).count("<title>") == 3  # of the picture, and of each figure that is known


def test_the_terminal_shows_the_same() -> None:
    console = Console(file=io.StringIO(), width=120)
    print_attack(console, REPORT)
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert "0.881 to 0.934" in told
    assert "A note." in told


def test_a_report_comes_back_from_json_with_what_is_unknown() -> None:
    content = REPORT.content()
    content["findings"][1].update(value=None, low=None, high=None)
    back = Report.of(content)
    assert math.isnan(back.findings[1].value)
    assert back.findings[2] == REPORT.findings[2]
