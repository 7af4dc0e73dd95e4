"""Users' and items' ids in a source, spelled in the one way that `fedrec.data.ids` says, and the checks of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from fedrec.data.ids import is_clean, look_alikes, normal, told_apart
from fedrec.data.readers.sheet import Check, Mask, RawTable
from fedrec.data.readers.source import Source

_ROLES = ("user", "item")
_MEND = "spell them alike if they are one, or say --set data.ids=exact if they are two"


def with_normal_ids(source: Source) -> Source:
    """The source with every user's and item's id in its normal spelling."""
    return replace(
        source, interactions=_normal(source.interactions), items=None if source.items is None else _normal(source.items)
    )


def id_checks(texts: pd.DataFrame, exact: bool) -> list[Check]:
    """Ids with control characters and, unless `exact`, those that look like another one before them."""
    checks: list[Check] = []
    for role in _ROLES:
        checks.append(_check(texts[role], {id: f"{role} {ascii(id)[:60]} holds control characters"
                                           for id in texts[role].unique() if not is_clean(id)}))  # fmt: skip
        if not exact:
            alike = look_alikes(texts[role].unique())
            checks.append(
                _check(texts[role], {id: f"{told_apart(role, id, other)}: {_MEND}" for id, other in alike.items()})
            )
    return checks


def _check(ids: pd.Series[str], faults: dict[str, str]) -> Check:
    bad: Mask = ids.isin(list(faults)).to_numpy(bool)
    say: Callable[[int], str] = lambda row: faults[ids.iloc[row]]  # noqa: E731
    return bad, say


def _normal(table: RawTable) -> RawTable:
    columns = table.columns.copy(deep=False)
    for role in _ROLES:
        if role in columns:
            columns[role] = _spelled(columns[role])
    return replace(table, columns=columns)


def _spelled(ids: pd.Series[str]) -> pd.Series[Any]:
    codes, distinct = pd.factorize(ids)
    spelled = pd.Series([normal(str(id)) for id in distinct], dtype=ids.dtype)
    return ids if (spelled == pd.Series(distinct)).all() else pd.Series(spelled.to_numpy()[codes], ids.index, ids.dtype)
