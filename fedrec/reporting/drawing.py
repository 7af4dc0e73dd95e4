"""Drawing for the pages: matplotlib figures as inline SVG whose colours and fonts are the page's.

A figure is drawn in stand-in colours, which `svg` replaces by CSS (`currentColor`, `var(--series-1)` …), so the same
picture is right in light, dark and print. One figure unit is one CSS pixel.
"""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Sequence
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from scipy.optimize import isotonic_regression

INK, MUTED, GRID, HEAT, HEAT_INK, WARN = (f"#0102{k:02x}" for k in range(6))
SERIES = tuple(f"#0103{k:02x}" for k in range(6))
FONT = 12.0
WIDTH = 840  # of the page's column, in pixels

_CSS = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    HEAT: "var(--heat)",
    HEAT_INK: "var(--heat-ink)",
    WARN: "var(--warn)",
    **{colour: f"var(--series-{k + 1})" for k, colour in enumerate(SERIES)},
}
_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: selectable, and in the page's font
    "text.parse_math": False,  # a client named $x$ is a name, no formula
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so the layout is the same everywhere
    "font.size": FONT,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.linewidth": 1.0,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "text.color": INK,
    "grid.color": GRID,
    "grid.linewidth": 1.0,
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


Grid = Literal["none", "x", "y", "both"]
_REPLACED: dict[Grid, list[str]] = {"none": [], "x": ["left", "bottom"], "y": ["left"], "both": []}


class Drawing:
    """One figure of `width` × `height` pixels, its panels placed by hand so that nothing overlaps."""

    def __init__(self, name: str, width: float, height: float) -> None:
        self.name = name
        self.width, self.height = width, height
        self._figure = Figure(figsize=(width / 72, height / 72), facecolor="none")
        self._tips: dict[str, str] = {}

    def panel(self, left: float, top: float, width: float, height: float, grid: Grid = "none") -> Axes:
        """Axes over the given pixels, measured from the top left corner.

        Args:
            grid: lines at the ticks of these axes; `x` and `y` alone take the place of spines.
        """
        box = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        with matplotlib.rc_context(_STYLE):
            axes = self._figure.add_axes(box, facecolor="none")
            axes.spines[["top", "right", *_REPLACED[grid]]].set_visible(False)
            axes.set_axisbelow(True)
            axes.tick_params(length=0, pad=6)
            if grid != "none":
                axes.grid(axis=grid)
        return axes

    def tip(self, artist: Any, text: str) -> None:
        """Show `text` when the pointer rests on the artist."""
        key = f"tip-{len(self._tips)}"
        artist.set_gid(key)
        self._tips[key] = html.escape(text)

    def legend(self, entries: Sequence[tuple[str, str]], left: float, top: float) -> None:
        """Named colour swatches in rows from (left, top), wrapped at the figure's width."""
        x, y = left, top
        for label, colour in entries:
            if x > left and x + 22 + text_width(label) > self.width:
                x, y = left, y + 20
            box = (x / self.width, 1 - (y + 11) / self.height)
            self._figure.add_artist(Rectangle(box, 11 / self.width, 11 / self.height, facecolor=colour, linewidth=0))
            self.text(x + 17, y + 10, label)
            x += 22 + text_width(label) + 14

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        """Text whose baseline starts at pixel (x, y)."""
        with matplotlib.rc_context(_STYLE):
            self._figure.text(x / self.width, 1 - y / self.height, text, **style)

    def line(self, x: tuple[float, float], y: tuple[float, float], colour: str = GRID, width: float = 1) -> None:
        """A straight line between two pixels."""
        ends = ([at / self.width for at in x], [1 - at / self.height for at in y])
        self._figure.add_artist(Line2D(*ends, color=colour, linewidth=width, solid_capstyle="butt"))

    def svg(self, title: str) -> str:
        """The figure as one `<svg>` element, described by `title`; the same figure gives the same bytes."""
        buffer = io.StringIO()
        with matplotlib.rc_context({**_STYLE, "svg.hashsalt": self.name}), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the reader's browser has its own fonts
            self._figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
        body = buffer.getvalue().partition("<svg")[2].partition(">")[2]
        body = re.sub(r"<style.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
        used = set(re.findall(r"(?:href=\"#|url\(#)([^\")]+)", body)) | self._tips.keys()
        body = re.sub(
            r"<[^<>]+>", lambda tag: _mended(tag[0], self.name, used), body
        )  # tags only: names stay as spelled
        body = re.sub(r">\s+<", "><", body)
        body = re.sub(rf'<g id="{self.name}-(tip-\d+)">', lambda tag: f"<g><title>{self._tips[tag[1]]}</title>", body)
        label = html.escape(title)
        return (
            f'<svg role="img" aria-label="{label}" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'style="width: {self.width:g}px"><title>{label}</title>{body}'
        )


def _mended(tag: str, prefix: str, used: set[str]) -> str:
    """One SVG tag in the page's colours and font, its id unique on the page (or gone), without needless bytes."""
    tag = re.sub(r"#010[23][0-9a-f]{2}", lambda found: _CSS[found[0]], tag)
    tag = re.sub(r"font-family: [^;\"]*;? ?", "", tag)
    tag = re.sub(r' id="([^"]*)"', lambda found: f' id="{prefix}-{found[1]}"' if found[1] in used else "", tag)
    tag = re.sub(r"(href=\"#|url\(#)", rf"\g<1>{prefix}-", tag)
    tag = re.sub(r"(\d\.\d{2})\d+", r"\1", tag)
    return " ".join(tag.split())


def text_width(text: str, size: float = FONT) -> float:
    """An upper estimate of a label's width in pixels."""
    return 0.62 * size * len(text)


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Label positions at least `gap` apart and within [low, high], in the same order, with the least squared movement.

    Isotonic regression of `position - rank * gap`, clipped to the bounds; this is exact. Labels that cannot fit run
    over `high`.
    """
    if not positions:
        return []
    wanted, ranks = np.array(positions), gap * np.arange(len(positions))
    order = np.argsort(wanted, kind="stable")
    top = max(low, high - ranks[-1])
    placed = np.empty(len(positions))
    placed[order] = np.clip(isotonic_regression(wanted[order] - ranks).x, low, top) + ranks
    return [float(place) for place in placed]
