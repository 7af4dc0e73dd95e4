"""Users' and items' ids in a source, spelled in the one way that `fedrec.data.ids` says, and the checks of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fedrec.data.ids import MEND, look_alikes, normal, told_apart
from fedrec.data.readers.arrow import are_within, have_no_space, holding
from fedrec.data.readers.sheet import Check, Column, RawTable, Source

_ROLES = ("user", "item")


def with_normal_ids(source: Source) -> Source:
    """The source with every user's and item's id in its normal spelling."""
    return replace(
        source,
        interactions=normal_ids(source.interactions),
        items=None if source.items is None else normal_ids(source.items),
    )


def id_checks(texts: Mapping[str, Column], exact: bool) -> list[Check]:
    """Ids with control characters and, unless `exact`, those that look like another one before them."""
    checks: list[Check] = []
    for role in _ROLES:
        column = texts[role]
        checks.append((column.where(holding(column.values, r"\p{Cc}")), _saying(column, role)))
        if not exact and not _are_told_apart(column.values):
            ids = column.values.to_pylist()
            alike = {id: f"{told_apart(role, id, other)}: {MEND}" for id, other in look_alikes(ids).items()}
            checks.append((column.where(np.array([id in alike for id in ids], bool)), _saying(column, role, alike)))
    return checks


def _saying(column: Column, role: str, faults: Mapping[str, str] | None = None) -> Callable[[int], str]:
    if faults is None:
        return lambda row: f"{role} {ascii(column[row])[:60]} holds control characters"
    return lambda row: faults[column[row]]


def _are_told_apart(ids: pa.StringArray) -> bool:
    """Whether ids are surely no look-alikes: in ASCII, without white space, they differ by more than case."""
    if are_within(ids, 0x21, 0x40):  # what has no letters has no case
        return True
    return have_no_space(ids) and bool(pc.count_distinct(pc.ascii_lower(ids)).as_py() == len(ids))


def normal_ids(table: RawTable) -> RawTable:
    spelled = {role: _spelled(column) for role, column in table.columns.items() if role in _ROLES}
    return replace(table, columns={**table.columns, **spelled})


def _spelled(column: Column) -> Column:
    if are_within(column.values, 0, 0x7F):
        return column
    return column.mapped(pa.array([normal(id) for id in column.values.to_pylist()], pa.string()))
