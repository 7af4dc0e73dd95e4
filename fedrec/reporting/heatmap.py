"""Client × client matrices (similarity, mixing weights) as heat maps, a panel a shard."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from fedrec.reporting.drawing import HEAT, HEAT_INK, INK, MUTED, WIDTH, Drawing, text_width
from fedrec.reporting.formatting import labels, number
from fedrec.reporting.run_result import Result, hidden_clients, last_with

NUMBERED_CELLS = 12  # a larger matrix shows colours without numbers
MAX_CELLS = 6400  # cells of all matrices of a figure together
DARK_CELL = 0.62  # from this strength of colour on, a number in the cell needs the light ink


def matrices(result: Result, key: str, phrase: str) -> str:
    """The matrices of the last round that recorded `key`, over its participants, a panel a shard, all on one scale.

    `phrase` says what a cell means, with places for the row's client, the column's and the value.
    """
    entry = last_with(result, key)
    if entry is None:
        return ""
    hidden = hidden_clients(result)
    shown = [k for k, client in enumerate(entry["participants"]) if client not in hidden]
    names = labels([entry["participants"][k] for k in shown], 14)
    own = key != "similarity"  # a client is always like itself: that cell says nothing and would stretch the scale
    stack = [[[matrix[i][j] if own or i != j else None for j in shown] for i in shown] for matrix in entry[key]]
    stack = stack[: max(1, MAX_CELLS // max(1, len(shown) ** 2))]
    values = [value for matrix in stack for row in matrix for value in row if value is not None]
    if not values:
        return ""
    low, high = min(values), max(values)
    side = max(250.0 if len(stack) == 1 else 190.0, 14.0 * len(shown))
    heading = 30 if len(stack) > 1 else 8
    gutter = 10 + max(text_width(name, 11) for name in names)
    columns = min(len(stack), max(1, int(WIDTH // (side + gutter + 8))))
    rows = math.ceil(len(stack) / columns)
    drawing = Drawing(key, columns * (side + gutter + 8), rows * (side + gutter + heading) + 34)
    for shard, matrix in enumerate(stack):
        row, column = divmod(shard, columns)
        x, y = column * (side + gutter + 8) + gutter, row * (side + gutter + heading) + heading
        if len(stack) > 1:
            drawing.text(x, y - 10, f"shard {shard}")
        axes = drawing.panel(x, y, side, side)
        _cells(drawing, axes, matrix, names, (low, high), phrase)
    _scale(drawing, gutter, drawing.height - 28, low, high)
    return drawing.svg(f"{key.capitalize()} between the clients in round {entry['round']}")


def _cells(
    drawing: Drawing,
    axes: Axes,
    matrix: Sequence[Sequence[float | None]],
    names: Sequence[str],
    scale: tuple[float, float],
    phrase: str,
) -> None:
    n = len(names)
    small = 11 if n < 8 else 8
    for i, row in enumerate(matrix):
        for j, value in enumerate(row):
            if value is None:
                continue
            strength = _strength(value, *scale)
            cell = axes.add_patch(Rectangle((j, i), 0.94, 0.94, facecolor=HEAT, alpha=strength, linewidth=0))
            drawing.tip(cell, phrase.format(names[i], names[j], number(value, 3)))
            if n <= NUMBERED_CELLS:
                ink = HEAT_INK if strength > DARK_CELL else INK
                axes.text(
                    j + 0.47, i + 0.5, number(value, 2), ha="center", va="center_baseline", fontsize=small, color=ink
                )
    middle = [k + 0.47 for k in range(n)]
    axes.set(xlim=(0, n), ylim=(n, 0))
    axes.set_xticks(middle, names, rotation=90 if max(map(len, names)) > 3 else 0, fontsize=11)
    axes.set_yticks(middle, names, fontsize=11)
    axes.spines[:].set_visible(False)


def _strength(value: float, low: float, high: float) -> float:
    """Opacity of a cell: 0.06 for the lowest value of the figure, 1 for the highest."""
    return 0.06 + 0.94 * (value - low) / (high - low) if high > low else 0.5


def _scale(drawing: Drawing, left: float, top: float, low: float, high: float) -> None:
    """The legend of the cells' colour: a ramp between the lowest and the highest value."""
    lowest = number(low, 2)
    drawing.text(left, top + 10, lowest, color=MUTED, fontsize=11)
    ramp = drawing.panel(left + text_width(lowest, 11) + 2, top, 80, 12)
    for step in range(8):
        ramp.add_patch(Rectangle((step, 0), 0.9, 1, facecolor=HEAT, alpha=_strength(step, 0, 7), linewidth=0))
    ramp.set(xlim=(0, 8), ylim=(0, 1), xticks=[], yticks=[])
    ramp.spines[:].set_visible(False)
    drawing.text(left + text_width(lowest, 11) + 88, top + 10, number(high, 2), color=MUTED, fontsize=11)
