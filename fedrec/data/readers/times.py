"""Times as Unix seconds, from numbers of several units and from ISO dates. Pure, vectorised."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fedrec.data.readers.sheet import Column, Mask
from fedrec.data.readers.values import floats

if TYPE_CHECKING:
    import pandas as pd

UNITS = {
    "s": "Unix seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds",
    "yyyymmdd": "days written as YYYYMMDD", "year": "years",
}  # fmt: skip
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_FIRST, _LAST = 315_532_800, 4_102_444_800  # 1980 and 2100: between them a time is likely one of somebody's behaviour
_MOST, _ENOUGH = 0.9, 1000


def times(column: Column, unit: str) -> tuple[NDArray[np.int64], Mask, str]:
    """Unix seconds, the values that are no time, and what they are read as.

    Args:
        column: numbers, or dates in UTC where they name no zone: ISO 8601, or day, month, year (`_in_iso`).
        unit: of the numbers: one of `UNITS`, or "auto" for the first one in which most of them are between 1980 and
            2100 (seconds, where there is none).
    """
    numbers = floats(column.values)
    dates = np.isnan(numbers)
    if unit == "auto":
        unit = _unit_of(numbers[~dates] if dates.any() else numbers)
    seconds, read_as = _seconds(numbers, unit), UNITS[unit]
    if dates.any():
        import pandas as pd

        seconds = seconds.copy()
        texts = column.values.filter(pa.array(dates)).dictionary_encode()
        distinct = pd.Series(texts.dictionary.to_pylist(), dtype=object)
        parsed = _since_1970(distinct, "ISO8601")
        if dates.all() and np.isnan(parsed).all():
            distinct, read_as = _in_iso(distinct) or (distinct, read_as)
            parsed = _since_1970(distinct, "ISO8601")
        seconds[dates] = parsed[texts.indices.to_numpy()]
    bad = ~((seconds > -(2.0**62)) & (seconds < 2.0**62))
    whole = np.floor(np.where(bad, 0, seconds) if bad.any() else seconds).astype(np.int64)
    return whole[column.codes], column.where(bad), read_as


def doubtful_times(seconds: NDArray[np.int64], now: float) -> str | None:
    """What to say where times are before 1980 or later than `now`: they may be of another unit."""
    doubtful = int(((seconds < _FIRST) | (seconds > now + 86_400)).sum())
    if not doubtful:
        return None
    first, last = (_day(int(value)) for value in (seconds.min(), seconds.max()))
    return (
        f"{doubtful:,} of {len(seconds):,} times are before 1980 or in the future (from {first} to {last}), and whoever"
        " asks for rows of certain days will miss them; if they are no Unix seconds, say what they are:"
        " --set data.time_unit=ms (us, ns, yyyymmdd, year)"
    )


def _unit_of(numbers: NDArray[np.float64]) -> str:
    some = numbers[:: max(1, len(numbers) // _ENOUGH)]
    for unit in UNITS if len(some) else ():
        seconds = _seconds(some, unit)
        if ((seconds >= _FIRST) & (seconds < _LAST)).mean() >= _MOST:
            return unit
    return "s"


def _seconds(numbers: NDArray[np.float64], unit: str) -> NDArray[np.float64]:
    """NaN where a number is none of the unit."""
    if unit in _PER_SECOND:
        return numbers / _PER_SECOND[unit] if unit != "s" else numbers
    import pandas as pd

    form, scale = ("%Y%m%d", 10_000) if unit == "yyyymmdd" else ("%Y", 1)
    dated = (numbers == np.floor(numbers)) & (numbers >= 1700 * scale) & (numbers < 2200 * scale)
    texts = [f"{number:.0f}" if sound else "" for number, sound in zip(numbers, dated, strict=True)]
    return _since_1970(pd.Series(texts, dtype=object), form)


def _since_1970(texts: pd.Series, form: str) -> NDArray[np.float64]:
    """Seconds; NaN where a text is no date of the form."""
    import pandas as pd

    dates = pd.to_datetime(texts, format=form, errors="coerce", utc=True)
    return np.array((dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1), np.float64)


def _in_iso(texts: pd.Series) -> tuple[pd.Series, str] | None:
    """Dates such as 18.02.2021 or 2/18/2021 8:30 as ISO 8601 has them, and what comes first in them.

    None where they do not tell: the day comes first before a point, else what is above 12 in some of them.
    """
    parts = texts.str.extract(r"^(\d\d?)([./-])(\d\d?)\2(\d{4})(?: (\d\d?)(:.+))?$")
    first, second = (parts[place].astype(float).max() for place in (0, 2))
    if second <= 12 and (first > 12 or (parts[1] == ".").any()):
        day, month, told = parts[0], parts[2], "the day"
    elif first <= 12 < second:
        day, month, told = parts[2], parts[0], "the month"
    else:
        return None
    clock = (" " + parts[4].str.zfill(2) + parts[5]).fillna("")
    return (parts[3] + "-" + month.str.zfill(2) + "-" + day.str.zfill(2) + clock).fillna(""), f"dates, {told} first"


def _day(seconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"
