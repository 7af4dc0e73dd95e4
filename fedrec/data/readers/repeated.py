"""Rows that say what another row says: they were most likely exported twice."""

from __future__ import annotations

import numpy as np

from fedrec.data.dataset import Interactions
from fedrec.text import amount


def repeated_rows(rows: Interactions) -> str | None:
    """What to say of rows alike in person, title, answer, time and client, which stand side by side in the table."""
    alike = np.ones(max(0, len(rows) - 1), bool)
    for column in (rows.user, rows.item, rows.time, rows.label, rows.client):
        if column is not None:
            alike &= column[1:] == column[:-1]
    count = int(alike.sum())
    if not count:
        return None
    repeat = f"{amount(count, 'row repeats', 'rows repeat')} another one"
    return (
        f"{repeat} (same person, title, answer and time): where the two are in different splits, one teaches what the"
        " other measures; drop repeats from the file"
    )
