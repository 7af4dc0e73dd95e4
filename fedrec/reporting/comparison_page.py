"""A comparison as one self-contained page: `compare.json` in, one HTML file out that needs no network and no script.

The same result gives the same bytes. Every name in a result is untrusted text and is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fedrec.files import finite
from fedrec.reporting import comparison_figures, templating
from fedrec.reporting.comparison_result import EXACTNESS, Standing, standings, without_federation
from fedrec.reporting.formatting import clean, count, duration, milliseconds, number, percent, rounded, signed, size
from fedrec.reporting.run_result import TRIVIAL

_Spell = Callable[[float | None], str]
_Best = Callable[[Iterable[float]], float]


def write_page(result: dict[str, Any], path: Path) -> None:
    """Write the page of a comparison to `path`.

    Raises:
        FedrecError: the file cannot be written.
    """
    templating.write(render(result), path)


def render(result: dict[str, Any]) -> str:
    """The page as HTML."""
    result = finite(result)
    methods = standings(result)
    drawn = {
        "auc": comparison_figures.auc(methods),
        "cost": comparison_figures.cost(methods),
        "tradeoff": comparison_figures.tradeoff(methods),
        "inference": comparison_figures.inference(result),
        "forgetting": comparison_figures.forgetting(methods),
    }
    content = {
        "config": without_federation(result["config"], "shards", "seed"),
        "result": result,
        "methods": methods,
        "chosen": _chosen(methods),
        "answers": _table(methods, _ANSWERS),
        "costs": _table(methods, _COSTS),
        "partitions": _table(methods, _PARTITIONS),
        "forgetting": _table(methods, _FORGETTING) if drawn["forgetting"] else None,
        "slowest": max((s for method in methods for s in method.values("withdrawn_seconds")), default=None),
        "exactness": EXACTNESS.values(),
        "trivial_names": TRIVIAL,
    }
    return templating.render("comparison.html.j2", content, drawn)


def _chosen(methods: Sequence[Standing]) -> tuple[Standing, Standing] | None:
    """The exact method with the fewest rows, and the one with the highest AUC; ties by the other, unknown ones last."""
    exact = [method for method in methods[1:] if method.exact != "no"]
    if not exact:
        return None

    def dear(method: Standing) -> float:
        rows = method.mean("rows_processed")
        return math.inf if rows is None else rows

    def poor(method: Standing) -> float:
        auc = method.mean("auc_after")
        return math.inf if auc is None else -auc

    cheapest = min(exact, key=lambda method: (dear(method), poor(method)))
    return cheapest, min(exact, key=lambda method: (poor(method), dear(method)))


class _Column(NamedTuple):
    """What a column shows of each method, and how it is spelled.

    Attributes:
        spread: how the standard deviation is spelled; None leaves it out.
        best: picks the best of the values.
    """

    title: str
    of: Callable[[Standing], Any]
    spell: Callable[[Any], str]
    key: str = ""
    spread: _Spell | None = None
    best: _Best | None = None


def _mean(title: str, key: str, spell: _Spell, best: _Best | None = None, spread: _Spell | None = None) -> _Column:
    return _Column(title, lambda method: method.mean(key), spell, key, spread, best)


def _share(cost: str) -> _Column:
    return _Column("of full", lambda method: method.share(cost), percent)


def _fact(title: str, key: str, spell: Callable[[Any], str] = clean) -> _Column:
    return _Column(title, lambda method: method.rows[0][key], spell)


def _short(value: float | None) -> str:
    return number(value, 2)


_ANSWERS = (
    _mean("AUC before", "auc_before", number),
    _mean("AUC after", "auc_after", number, max, number),
    _mean("To Retraining", "difference", signed, None, number),
    _mean("UAUC", "uauc_after", number, max, number),
    _mean("UAUC at split", "uauc_at_split_after", number, max, number),
    _mean("LogLoss", "logloss_after", number, min, number),
)
_COSTS = (
    _mean("Shards again", "shards_touched", _short, min),
    _mean("Rows", "rows_processed", rounded, min, rounded),
    _share("rows_processed"),
    _mean("Steps", "steps", rounded, min),
    _mean("Time", "seconds", duration, min, duration),
    _share("seconds"),
    _mean("Withdrawn, ms", "withdrawn_seconds", milliseconds, min, milliseconds),
    _mean("Stored", "bytes", size, min),
)
_FORGETTING = (
    _mean("JSD", "jsd", number, min, number),
    _mean("in units", "jsd_scatter", _short),
    _mean("L2", "l2", number, min, number),
    _mean("in units", "l2_scatter", _short),
    _mean("Members", "membership_auc", number),
    _mean("from", "membership_auc_low", number),
    _mean("to", "membership_auc_high", number),
    _mean("Time", "seconds", duration, min),
    _share("seconds"),
)
_PARTITIONS = (
    _fact("Partition", "partition"),
    _fact("Aggregator", "aggregator"),
    _fact("Shards", "shards", count),
    _mean("Balance", "balance", _short, min, _short),
    _mean("Shards per user", "shards_per_user", _short, min),
    _mean("Separation", "separation", _short),
    _Column("Exact", lambda method: EXACTNESS[method.exact][0], str),
)


class _Cell(NamedTuple):
    text: str
    spread: str
    best: bool


def _table(methods: Sequence[Standing], columns: Sequence[_Column]) -> dict[str, Any]:
    """Titles, and the name and cells of each method."""
    filled = [_cells(methods, column) for column in columns]
    return {
        "titles": [column.title for column in columns],
        "rows": [(method.name, cells) for method, cells in zip(methods, zip(*filled, strict=True), strict=True)],
    }


def _cells(methods: Sequence[Standing], column: _Column) -> list[_Cell]:
    """The cells of a column; the best of the methods beside Retraining is marked where they differ as they are read."""
    values = [column.of(method) for method in methods]
    texts = [column.spell(value) for value in values]
    rivals = [value for value in values[1:] if value is not None]
    best = column.spell(column.best(rivals)) if column.best and len(set(texts[1:])) > 1 else None
    cells = []
    for k, (method, text) in enumerate(zip(methods, texts, strict=True)):
        std = method.std(column.key) if column.spread else None
        spread = column.spread(std) if column.spread and std is not None else ""
        cells.append(_Cell(text, spread, k > 0 and text == best))
    return cells
