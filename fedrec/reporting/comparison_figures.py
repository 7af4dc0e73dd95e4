"""The figures of a comparison's page: each takes the methods and gives one inline SVG, or "" with nothing to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from fedrec.reporting.comparison_result import EXACTNESS, Standing
from fedrec.reporting.drawing import INK, MUTED, SERIES, WIDTH, Drawing, spread, text_width
from fedrec.reporting.formatting import clean, duration, number, percent, rounded, signed
from fedrec.reporting.run_figures import ROUND_STEPS, name_ends
from fedrec.text import amount

COLOURS = dict(zip(EXACTNESS, (SERIES[0], SERIES[1], SERIES[3]), strict=True))
FORMS = {"ND": ("mixed (ND)", SERIES[0]), "D": ("mixed (D)", SERIES[2]), "passes": ("one pass a shard", SERIES[1])}
_ROW = 28.0  # height of a method's row
_BOX = (76.0, 34.0, WIDTH - 96.0, 290.0)
_NAMED = 20  # more points than this are told apart by pointing at them


def auc(methods: Sequence[Standing]) -> str:
    """AUC after deletion, a dot a seed and a stroke at the mean; with several seeds the differences too."""
    if not methods[0].values("auc_after"):
        return ""
    panels = [("AUC after deletion", "auc_after")]
    if len(methods[0].rows) > 1:
        panels.append(("difference to Retraining with the same seed", "difference"))
    drawing, axes = _panels("auc", methods, [title for title, _ in panels])
    for panel, (_, key) in zip(axes, panels, strict=True):
        level = methods[0].mean(key)
        if level is not None:
            panel.axvline(level, color=MUTED, linewidth=1.2, dashes=(4, 3))
        for y, method in enumerate(methods):
            colour = _colour(method, methods)
            for row in method.rows:
                if row[key] is not None:
                    dot = panel.plot(row[key], y, "o", color=colour, markersize=6, alpha=0.5, markeredgewidth=0)[0]
                    drawing.tip(dot, f"{method.name}, seed {row['seed']}: {number(row[key])}")
            mean = method.mean(key)
            if mean is not None:
                panel.plot([mean, mean], [y - 0.32, y + 0.32], color=colour, linewidth=2.5)
        panel.xaxis.set_major_locator(MaxNLocator(5, steps=ROUND_STEPS))
        panel.margins(x=0.08)
    return drawing.svg("AUC after deletion of each method beside Retraining")


def cost(methods: Sequence[Standing]) -> str:
    """Rows processed and seconds of a deletion, with their share of what full retraining takes."""
    panels = (("rows trained on again", "rows_processed", rounded), ("time", "seconds", duration))
    drawing, axes = _panels("cost", methods, [title for title, *_ in panels])
    for panel, (_, key, spell) in zip(axes, panels, strict=True):
        means = [method.mean(key) for method in methods]
        highest = max((mean for mean in means if mean is not None), default=0.0) or 1.0
        for y, (method, mean) in enumerate(zip(methods, means, strict=True)):
            if mean is not None:
                bar = panel.barh(y, mean, 0.56, color=_colour(method, methods))[0]
                text = f"{spell(mean)} · {percent(method.share(key))}"
                drawing.tip(bar, f"{method.name}: {text}")
                panel.text(mean, y, f"\u2002{text}", va="center_baseline", fontsize=11, color=INK)
        if means[0] is not None:
            panel.axvline(means[0], color=MUTED, linewidth=1.2, dashes=(4, 3))
        panel.set_xlim(0, 1.5 * highest)
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _, spell=spell: spell(value)))
    return drawing.svg("Rows and seconds of a deletion by each method beside full retraining")


def tradeoff(methods: Sequence[Standing]) -> str:
    """What a deletion costs against what the method's AUC is beside Retraining's."""
    points = [
        (method, share, difference)
        for method in methods[1:]
        if (share := method.share("rows_processed")) is not None
        and (difference := method.mean("difference")) is not None
    ]
    if len(points) < 2:
        return ""
    drawing, axes = _against_quality("tradeoff", methods)
    axes.plot(1, 0, "x", color=INK, markersize=8, markeredgewidth=2)
    for method, share, difference in points:
        dot = axes.plot(share, difference, "o", color=COLOURS[method.exact], markersize=9, markeredgewidth=0)[0]
        drawing.tip(dot, f"{method.name}: {percent(share)} of the rows, {difference:+.4f}")
    axes.set_xlim(0, 1.06 * max(1.0, *(share for _, share, _ in points)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
    axes.set_xlabel("rows trained on again, of those of full retraining")
    _name_points(drawing, axes, [(method.name, share, difference) for method, share, difference in points])
    return drawing.svg("Difference to Retraining against the rows a deletion trains on again")


def forgetting(methods: Sequence[Standing]) -> str:
    """How far answers on deleted rows are from the retrained model's, against AUC; a dot's area is the time."""
    if not any(method.exact == "no" for method in methods) or "l2" not in methods[0].rows[0]:
        return ""
    points = [
        (method, distance, difference, share)
        for method in methods[1:]
        if (distance := method.mean("l2")) is not None
        and (difference := method.mean("difference")) is not None
        and (share := method.share("seconds")) is not None
    ]
    if len(points) < 2:
        return ""
    drawing, axes = _against_quality("forgetting", methods)
    axes.plot(0, 0, "x", color=INK, markersize=8, markeredgewidth=2)
    for method, distance, difference, share in points:
        look = {"color": COLOURS[method.exact], "markersize": 18 * min(share, 2.0) ** 0.5, "alpha": 0.7}
        dot = axes.plot(distance, difference, "o", markeredgewidth=0, **look)[0]
        told = f"L2 {number(distance)}, {difference:+.4f}, {percent(share)} of the time"
        drawing.tip(dot, f"{method.name}: {told}")
    axes.set_xlim(0, 1.1 * max(distance for _, distance, _, _ in points) or 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=ROUND_STEPS))
    axes.set_xlabel("L2 to the retrained model's answers on what was deleted")
    named = [
        (f"{method.name} {percent(share)}", distance, difference) for method, distance, difference, share in points
    ]
    _name_points(drawing, axes, named)
    return drawing.svg("Difference to Retraining against the distance of answers on what was deleted")


def _against_quality(name: str, methods: Sequence[Standing]) -> tuple[Drawing, Axes]:
    """A panel whose height is the difference of AUC to Retraining's."""
    drawing = Drawing(name, WIDTH, 376)
    _legend(drawing, methods, _BOX[0])
    axes = drawing.panel(*_BOX, grid="both")
    axes.axhline(0, color=MUTED, linewidth=1.2, dashes=(4, 3))
    axes.margins(y=0.12)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=ROUND_STEPS))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: signed(value)))
    return drawing, axes


def _name_points(drawing: Drawing, axes: Axes, points: Sequence[tuple[str, float, float]]) -> None:
    """Write names (with x and y) beside the points of a panel that begins at x = 0."""
    left, top, width, height = _BOX
    (_, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    places = [
        (name, left + width * x / right, top + height * (high - y) / (high - low))
        for name, x, y in points
        if len(points) <= _NAMED
    ]
    for side in (-1, 1):
        mine = [place for place in places if (1 if place[1] < left + 0.6 * width else -1) == side]
        heights = spread([y for _, _, y in mine], 16, top + 8, top + height - 8)
        for (name, x, y), lifted in zip(mine, heights, strict=True):
            drawing.line((x + side * 6, x + side * 18), (y, lifted), MUTED, 0.6)
            drawing.text(x + side * 21, lifted + 4, name, ha="left" if side > 0 else "right")


def inference(result: dict[str, Any]) -> str:
    """Milliseconds per row answered by the number of shards, a line a way of answering."""
    rows = [row for row in result["inference"] if row["seconds_per_row"] is not None]
    if not rows:
        return ""
    box = (54.0, 14.0, WIDTH - 254.0, 250.0)
    drawing = Drawing("inference", WIDTH, 312)
    axes = drawing.panel(*box, grid="y")
    ends = []
    for form in dict.fromkeys(row["form"] for row in rows):
        name, colour = FORMS.get(form, (clean(form, 20), INK))
        points = [(row["shards"], 1000 * row["seconds_per_row"]) for row in rows if row["form"] == form]
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=2.5)
        for shards, milliseconds in points:
            dot = axes.plot(shards, milliseconds, "o", color=colour, markersize=6)[0]
            drawing.tip(dot, f"{name}, {amount(shards, 'shard')}: {number(milliseconds, 2)} ms")
        ends.append((f"{name}\u2002{number(points[-1][1], 2)}", points[-1][1], colour))
    axes.set_xticks(sorted({row["shards"] for row in rows}))
    axes.set_xlabel("shards")
    axes.set_ylim(0, 1080 * max(row["seconds_per_row"] for row in rows) or 1.0)
    name_ends(drawing, axes, box, ends)
    return drawing.svg("Milliseconds per row answered by the number of shards")


def _panels(name: str, methods: Sequence[Standing], titles: Sequence[str]) -> tuple[Drawing, list[Axes]]:
    """Panels side by side with a row a method, named at the left, under the legend of the colours."""
    left = 16 + max(text_width(method.name) for method in methods)
    height = _ROW * len(methods)
    drawing = Drawing(name, WIDTH, height + 92)
    _legend(drawing, methods, left)
    width = (WIDTH - left - 12) / len(titles)
    panels = []
    for k, title in enumerate(titles):
        drawing.text(left + k * width, 46, title, color=MUTED)
        axes = drawing.panel(left + k * width, 58, width - (24 if len(titles) > 1 else 0), height, grid="x")
        axes.set_ylim(len(methods) - 0.5, -0.5)
        axes.set_yticks(range(len(methods)), [method.name for method in methods] if k == 0 else [], color=INK)
        panels.append(axes)
    return drawing, panels


def _legend(drawing: Drawing, methods: Sequence[Standing], left: float) -> None:
    claims = {method.exact for method in methods[1:]}
    drawing.legend([(f"exact: {name}", COLOURS[key]) for key, (name, _) in EXACTNESS.items() if key in claims], left, 4)


def _colour(method: Standing, methods: Sequence[Standing]) -> str:
    return MUTED if method is methods[0] else COLOURS[method.exact]
