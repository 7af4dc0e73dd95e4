"""Days as people type them: ASCII digits, YYYY-MM-DD, of a year in which somebody may have done something."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from fedrec.errors import UsageError

DAY = 86_400
_YEARS = range(1970, 2100)


def first_second(option: str, text: str) -> int:
    """The first second of a day, UTC, since 1970.

    Raises:
        UsageError: it is no such day.
    """
    try:
        day = datetime.strptime(text if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else "", "%Y-%m-%d")
    except ValueError:
        raise UsageError(f"{option} {ascii(text)[1:-1]}: write a day as 2026-01-31") from None
    if day.year not in _YEARS:
        raise UsageError(f"{option} {text}: no day between {_YEARS[0]} and {_YEARS[-1]}; mend the year")
    return int(day.replace(tzinfo=UTC).timestamp())
