"""The figures of a run's page: each takes a result and gives one inline SVG, or "" where there is nothing to show."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from fedrec.reporting.drawing import GRID, INK, MUTED, SERIES, WARN, WIDTH, Drawing, spread, text_width
from fedrec.reporting.formatting import labels, number, size
from fedrec.reporting.run_result import TRIVIAL, Result, by_client, contenders, hidden_clients, shown_clients

ROUND_STEPS = (1, 2.5, 5, 10)  # ticks at 0.50, 0.55 …
LABELLED_LINES = 8  # more lines than this are told apart by pointing at them

Line = tuple[str, Sequence[float | None]]


def standing(result: Result) -> str:
    """Where the run stands between guessing (0.5) and the best possible: scorers below the ruler, the run above."""
    overall = result["overall"]
    above = [
        ("worst client", overall["worst_auc"], MUTED),
        ("mean of clients", overall["mean_auc"], MUTED),
        ("all rows", overall["auc"], SERIES[0]),
    ]
    below = [(name, result["trivial"].get(key), MUTED) for key, name in TRIVIAL.items()]
    above, below = ([mark for mark in marks if mark[1] is not None] for marks in (above, below))
    if not above:
        return ""
    best = result.get("best_possible_auc")
    values = [mark[1] for mark in above + below] + [0.5] + ([best] if best else [])
    low, high = min(values), max(values)
    high = high if high > low else low + 0.01
    left, width, y = 80, WIDTH - 180, 70
    drawing = Drawing("standing", WIDTH, 142)

    def at(value: float) -> float:
        return float(left + width * (value - low) / (high - low))

    drawing.line((left, left + width), (y, y), GRID, 8)
    drawing.line((at(0.5), at(above[-1][1])), (y, y), SERIES[0], 8)
    drawing.text(left - 10, y - 3, "guessing" if low == 0.5 else "lowest", ha="right", color=MUTED, fontsize=11)
    drawing.text(left - 10, y + 12, number(low, 3), ha="right")
    if best:
        drawing.text(left + width + 10, y - 3, "best possible", color=MUTED, fontsize=11)
        drawing.text(left + width + 10, y + 12, number(best, 3))
    for marks, side in ((above, -1), (below, 1)):
        places = spread([at(value) for _, value, _ in marks], 128, 64, WIDTH - 64)
        for (name, value, colour), x in zip(marks, places, strict=True):
            drawing.line((at(value), at(value)), (y - 4, y + 4), INK, 2)
            drawing.line((at(value), at(value)), (y + side * 6, y + side * 12), colour)
            drawing.line((at(value), x), (y + side * 12, y + side * 24), colour)
            drawing.text(x, y - 44 if side < 0 else y + 38, name, ha="center", color=MUTED, fontsize=11)
            style = {} if colour == MUTED else {"color": colour, "fontweight": "bold"}
            drawing.text(x, y - 29 if side < 0 else y + 53, number(value, 3), ha="center", **style)
    return drawing.svg("AUC of the run between guessing and the best possible")


def learning(result: Result) -> str:
    """AUC over the rounds: a thin line a client, the mean and the pooled AUC, and what they are to be read against."""
    history = result["history"]
    if not history:
        return ""
    rounds = [entry["round"] for entry in history]
    per_round = [by_client(entry, "auc") for entry in history]
    shown = [client["id"] for client in shown_clients(result)]
    clients: list[Line] = [
        (name, [aucs.get(client) for aucs in per_round]) for name, client in zip(labels(shown, 22), shown, strict=True)
    ]
    strong: list[Line] = [
        ("all rows", [entry["overall"]["auc"] for entry in history]),
        ("mean of clients", [entry["overall"]["mean_auc"] for entry in history]),
    ]
    levels = [("best possible", result.get("best_possible_auc")), ("best trivial scorer", _best_trivial(result))]
    drawing = Drawing("learning", WIDTH, 372)
    _curves(drawing, (54, 14, WIDTH - 254, 310), rounds, clients, strong, levels)
    return drawing.svg("AUC of each client, their mean and all rows over the rounds")


def _best_trivial(result: Result) -> float | None:
    return max((value for value in result["trivial"].values() if value is not None), default=None)


def heating(result: Result) -> str:
    """Each client's heating over the rounds, a panel a shard."""
    history = [entry for entry in result["history"] if entry.get("heating")]
    hidden = hidden_clients(result)
    ids = sorted({client for entry in history for client in entry["participants"]} - hidden)
    if not ids:
        return ""
    rounds = [entry["round"] for entry in history]
    shards = len(history[0]["heating"])
    columns, height = (1, 250) if shards == 1 else (3, 150)
    drawing = Drawing("heating", WIDTH, math.ceil(shards / columns) * (height + 60))
    for shard in range(shards):
        heat = [dict(zip(entry["participants"], entry["heating"][shard], strict=True)) for entry in history]
        lines: list[Line] = [
            (name, [known.get(client) for known in heat]) for name, client in zip(labels(ids, 22), ids, strict=True)
        ]
        row, column = divmod(shard, columns)
        width = WIDTH - 254 if columns == 1 else WIDTH / 3 - 60
        box = (54 + column * WIDTH / 3, 22 + row * (height + 60), width, height)
        if shards > 1:
            drawing.text(box[0], box[1] - 8, f"shard {shard}")
        _curves(drawing, box, rounds, lines, [], [], end_labels=shards == 1)
    return drawing.svg("Heating of each client over the rounds")


def _curves(
    drawing: Drawing,
    box: tuple[float, float, float, float],
    rounds: Sequence[int],
    thin: Sequence[Line],
    strong: Sequence[Line],
    levels: Sequence[tuple[str, float | None]],
    end_labels: bool = True,
) -> None:
    """Lines over rounds in `box` (left, top, width, height), named at their right end."""
    axes = drawing.panel(*box, grid="y")
    ends: list[tuple[str, float, str]] = []
    named = end_labels and len(thin) <= LABELLED_LINES
    alpha = 0.7 if len(thin) <= LABELLED_LINES else 0.4
    for label, values in thin:
        line = axes.plot(rounds, _gaps(values), color=MUTED, linewidth=1, marker="o", markersize=2.5, alpha=alpha)[0]
        drawing.tip(line, label)
        ends += [(label, value, MUTED) for value in _last(values) if named]
    for (label, values), colour in zip(strong, SERIES, strict=False):
        axes.plot(rounds, _gaps(values), color=colour, linewidth=2.5, marker="o", markersize=5)
        ends += [(label, value, colour) for value in _last(values)]
    for label, level in levels:
        if level is not None:
            axes.axhline(level, color=MUTED, linewidth=1.2, dashes=(4, 3))
            ends.append((label, level, INK))
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=ROUND_STEPS))
    pad = 0.03 * (rounds[-1] - rounds[0]) or 0.5
    axes.set_xlim(rounds[0] - pad, rounds[-1] + pad)
    axes.set_xlabel("round")
    axes.margins(y=0.08)
    if end_labels:
        texts = [(f"{label}\u2002{number(value, 3)}", value, colour) for label, value, colour in ends]
        name_ends(drawing, axes, box, texts)


def name_ends(
    drawing: Drawing, axes: Axes, box: tuple[float, float, float, float], ends: Sequence[tuple[str, float, str]]
) -> None:
    """Names of lines beside their right ends in `box` (left, top, width, height): text, height there, colour."""
    left, top, width, height = box
    low, high = axes.get_ylim()
    pixels = [top + height * (high - value) / (high - low) for _, value, _ in ends]
    for (text, _, colour), y, place in zip(ends, pixels, spread(pixels, 16, top, top + height), strict=True):
        weight = "bold" if colour in SERIES else "normal"
        drawing.line((left + width + 3, left + width + 18), (y, place), MUTED, 0.6)
        drawing.text(left + width + 22, place + 4, text, color=colour, fontweight=weight)


def _gaps(values: Sequence[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]


def _last(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None][-1:]


def per_client(result: Result) -> str:
    """AUC of each client as bars from 0.5 (guessing), a colour a strategy."""
    runs = contenders(result)[: len(SERIES)]
    shown = [client["id"] for client in shown_clients(result)]
    aucs = [by_client(run, "auc") for _, run in runs]
    known = [value for column in aucs for client in shown if (value := column.get(client)) is not None]
    if not known:
        return ""
    names = labels(shown, 22)
    thick = max(4.0, min(14.0, 420 / (len(shown) * len(runs))))
    group = thick * len(runs) + 9
    left, top = 14 + max(text_width(name) for name in names), 34.0 if len(runs) > 1 else 8.0
    height = group * len(shown)
    drawing = Drawing("clients", WIDTH, top + height + 44)
    if len(runs) > 1:
        drawing.legend([(name, colour) for (name, _), colour in zip(runs, SERIES, strict=False)], left, 4)
    axes = drawing.panel(left, top, WIDTH - left - 60, height, grid="x")
    for row, client in enumerate(shown):
        for k, ((name, _), column) in enumerate(zip(runs, aucs, strict=True)):
            value = column.get(client)
            if value is None:
                continue
            y = row * group + 4.5 + k * thick
            bar = axes.add_patch(Rectangle((0.5, y), value - 0.5, 0.88 * thick, facecolor=SERIES[k], linewidth=0))
            drawing.tip(bar, f"{names[row]}, {name}: {number(value)}")
            if thick >= 10:
                ink, text = INK if k == 0 else MUTED, f"\u2002{number(value, 3)}"
                axes.text(max(value, 0.5), y + thick / 2, text, va="center_baseline", fontsize=10, color=ink)
    axes.axvline(0.5, color=MUTED, linewidth=1)
    axes.set_yticks([row * group + group / 2 for row in range(len(shown))], names, color=INK)
    axes.set_ylim(height, 0)
    axes.set_xlim(min([0.495, *known]), max([0.505, *known]))
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=ROUND_STEPS))
    axes.set_xlabel("AUC (the bars start at 0.5, where guessing is)")
    return drawing.svg("AUC of each client under each strategy")


def traffic(result: Result) -> str:
    """Bytes received from and sent to the clients in each round, and the replies dropped where there were any."""
    history = result["history"]
    if not any(entry["bytes_up"] or entry["bytes_down"] or entry["dropped"] for entry in history):
        return ""
    rounds = [entry["round"] for entry in history]
    dropped = [len(entry["dropped"]) for entry in history]
    drawing = Drawing("traffic", WIDTH, 330 if any(dropped) else 230)
    sides = (("from the clients", "bytes_up", SERIES[0]), ("to the clients", "bytes_down", SERIES[2]))
    drawing.legend([(label, colour) for label, _, colour in sides], 70, 4)
    axes = _rounds_panel(drawing, (70, 34, WIDTH - 90, 150), rounds)
    for (label, key, colour), shift in zip(sides, (-0.19, 0.19), strict=True):
        for entry in history:
            count = entry[key]
            bar = axes.bar(entry["round"] + shift, count, 0.34, color=colour)[0]
            drawing.tip(bar, f"round {entry['round']}, {label}: {size(count)}")
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: size(value)))
    if any(dropped):
        drawing.legend([("dropped replies", WARN)], 70, 216)
        below = _rounds_panel(drawing, (70, 244, WIDTH - 90, 40), rounds)
        below.bar(rounds, dropped, 0.34, color=WARN)
        below.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    return drawing.svg("Bytes sent and received, and replies dropped, in each round")


def _rounds_panel(drawing: Drawing, box: tuple[float, float, float, float], rounds: Sequence[int]) -> Axes:
    axes = drawing.panel(*box, grid="y")
    axes.set_xlim(rounds[0] - 0.6, rounds[-1] + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(20, integer=True, min_n_ticks=1))
    axes.set_xlabel("round")
    return axes
