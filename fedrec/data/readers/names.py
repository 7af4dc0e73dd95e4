"""Users' and items' ids in a source, spelled in the one way that `fedrec.data.ids` says, and the checks of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from fedrec.data.ids import is_clean, look_alikes, normal, told_apart
from fedrec.data.readers.sheet import Check, Column, RawTable
from fedrec.data.readers.source import Source

_ROLES = ("user", "item")
_MEND = "spell them alike if they are one, or say --set data.ids=exact if they are two"


def with_normal_ids(source: Source) -> Source:
    """The source with every user's and item's id in its normal spelling."""
    return replace(
        source, interactions=_normal(source.interactions), items=None if source.items is None else _normal(source.items)
    )


def id_checks(texts: Mapping[str, Column], exact: bool) -> list[Check]:
    """Ids with control characters and, unless `exact`, those that look like another one before them."""
    checks: list[Check] = []
    for role in _ROLES:
        ids = texts[role].values.to_pylist()
        unclean = {id: f"{role} {ascii(id)[:60]} holds control characters" for id in ids if not is_clean(id)}
        checks.append(_check(texts[role], ids, unclean))
        if not exact:
            alike = {id: f"{told_apart(role, id, other)}: {_MEND}" for id, other in look_alikes(ids).items()}
            checks.append(_check(texts[role], ids, alike))
    return checks


def _check(column: Column, ids: list[str], faults: dict[str, str]) -> Check:
    return column.where(np.array([id in faults for id in ids], bool)), lambda row: faults[column[row]]


def _normal(table: RawTable) -> RawTable:
    spelled = {role: _spelled(column) for role, column in table.columns.items() if role in _ROLES}
    return replace(table, columns={**table.columns, **spelled})


def _spelled(column: Column) -> Column:
    return column.mapped(pa.array([normal(id) for id in column.values.to_pylist()], pa.string()))
