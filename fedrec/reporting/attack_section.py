"""Attacks on a run as its page shows them: a figure and a table for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

from fedrec.privacy.attacks.finding import Finding, Report
from fedrec.reporting.attack_console import interval, spelled
from fedrec.reporting.drawing import INK, MUTED, SERIES, WIDTH, Drawing, text_width
from fedrec.reporting.formatting import clean

HEADINGS = {
    "titles": "Which titles a client's people met",
    "people": "Who was trained on",
    "canaries": "Epsilon from below, by canaries",
    "row": "One client that pushes one item",
    "wording": "Titles that are written to be recommended",
}
_ROW = 26.0


@dataclass(frozen=True)
class Shown:
    """An attack on the page: rows of read, measure, figure, interval and chance, spelled; the picture is inline SVG."""

    name: str
    heading: str
    rows: Sequence[tuple[str, ...]]
    notes: Sequence[str]


def shown(reports: Sequence[Report]) -> list[Shown]:
    """In the order of `HEADINGS`, others behind."""
    order = {name: place for place, name in enumerate(HEADINGS)}
    return [
        Shown(
            report.attack,
            HEADINGS.get(report.attack, report.attack),
            [
                (clean(each.read), clean(each.measure), spelled(each.value), interval(each), spelled(each.chance))
                for each in report.findings
            ],
            report.notes,
        )
        for report in sorted(reports, key=lambda report: order.get(report.attack, len(order)))
    ]


def figures(reports: Sequence[Report]) -> dict[str, str]:
    """Inline SVG of each attack, by `attack-NAME`."""
    return {f"attack-{report.attack}": picture(report) for report in reports}


def picture(report: Report) -> str:
    """Each figure as a dot on its interval, and a stroke at what chance gives; a panel a measure."""
    known = [each for each in report.findings if not math.isnan(each.value)]
    measures = list(dict.fromkeys(each.measure for each in known))
    if not known:
        return ""
    left = 14 + max(text_width(clean(each.read)) for each in known)
    heights = [_ROW * sum(each.measure == measure for each in known) for measure in measures]
    drawing = Drawing(f"attack-{report.attack}", WIDTH, sum(heights) + 64 * len(measures))
    top = 24.0
    for measure, height in zip(measures, heights, strict=True):
        drawing.text(left, top - 8, clean(measure))
        _panel(drawing, (left, top, WIDTH - left - 70, height), [each for each in known if each.measure == measure])
        top += height + 64
    return drawing.svg(f"What the attack on {clean(report.attack)} found, beside chance")


def _panel(drawing: Drawing, box: tuple[float, float, float, float], findings: Sequence[Finding]) -> None:
    axes = drawing.panel(*box, grid="x")
    for y, each in enumerate(findings):
        ends = [value for value in (each.low, each.high) if not math.isnan(value)]
        axes.plot([min(ends, default=each.value), max(ends, default=each.value)], [y, y], color=SERIES[0], linewidth=3)
        dot = axes.plot(each.value, y, "o", color=SERIES[0], markersize=8, markeredgewidth=0)[0]
        drawing.tip(dot, f"{clean(each.read)}: {spelled(each.value)} {interval(each)}")
        if each.chance is not None:
            axes.plot([each.chance] * 2, [y - 0.35, y + 0.35], color=MUTED, linewidth=1.5)
    axes.set_yticks(range(len(findings)), [clean(each.read) for each in findings], color=INK)
    axes.set_ylim(len(findings) - 0.5, -0.5)
    values = [value for each in findings for value in (each.value, each.low, each.high, each.chance or 0.0)]
    values = [value for value in values if not math.isnan(value)]
    axes.set_xlim(min(0.0, *values), max(1.0, *values) * 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(6))
