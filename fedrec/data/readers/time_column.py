"""Which column holds the times of the rows, where none is named so: known by its values, else hinted at by its name.

A column is taken for the times where each of its values is a date or a Unix time since 1995 and until now, and where
they are the rows' own: not one value for each item (when it came out) or for each user (when they joined). Numbers
in a column named as an id or a count, and what is said of items or people, such as birthday, are never taken.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fedrec.data.readers.sheet import Column, RawTable, Sheet, listed, quote
from fedrec.data.readers.times import UNITS, times
from fedrec.data.readers.values import floats
from fedrec.errors import DataError

_WORDS = re.compile(r"(?i)time|date|datum|zeit|fecha|played|when|wann|cuando|quand|(?:^|[^a-z])ts$|[a-z][_ ](?:at|on)$")
_OF_OTHERS = re.compile(
    r"(?i)release|birth|geb(?:oren|urt)|publi|veröff|erschein|erschien|runtime|year|jahr|duration|update|join|sign.?up"
    r"|regist|member"
)
_NUMBERS = re.compile(
    r"(?i:(?:^|[^a-z])(?:ids?|nr|no|num|key|code|isbn|issn|ean|gtin|upc|sku|hash|phone|tel|zip|plz|price|count|views"
    r"|votes)$|(?:number|nummer)$)|[a-z](?:Id|ID|Nr|No|Key|Code)$"
)
_FIRST = 788_918_400  # 1995: before it hardly anybody's behaviour was written down
_NO_TIMES = "no times: the order of the file counts"


def with_times(sheet: Sheet, columns: Mapping[str, int], unit: str) -> tuple[RawTable, str | None]:
    """The columns of a sheet whose time has none among them, with the one that holds times; and its name, or None.

    Args:
        columns: role → position, of users and items at least.
        unit: as `times` takes it.
    """
    places = [place for place in range(len(sheet.names)) if place not in columns.values()]
    own = [place for place in places if not _OF_OTHERS.search(sheet.names[place])]
    found = [place for place in own if _are_times(sheet, place, unit)]
    if len(found) > 1:  # its name decides
        found = [place for place in found if _WORDS.search(sheet.names[place])]
    if len(found) != 1:
        return sheet.take(columns), None
    name = sheet.names[found[0]]
    table = sheet.take({**columns, "time": found[0]})
    seconds, sound = _times(table.columns["time"], name, unit)
    owners = [table.columns[role].codes for role in ("user", "item")]
    if sound and not any(_belongs_to(seconds, codes) for codes in owners):
        return table, name
    return replace(table, columns={role: table.columns[role] for role in columns}), None


def guessed_times(name: str) -> str:
    """What to say of a column that is read as times by its values."""
    return (
        f"column {quote(name)} is read as times by its values: --set data.columns.time=NAME names another, and"
        " --set data.columns.time=none reads none"
    )


def without_times(unused: Sequence[str]) -> tuple[str, bool]:
    """What to say where no column is read as times, and whether one that is not used may well hold them.

    Args:
        unused: the names of the columns that are not used.
    """
    if not unused:
        return _NO_TIMES, False
    likely = [name for name in unused if _WORDS.search(name) and not _OF_OTHERS.search(name)]
    if likely:
        option = f"--set data.columns.time={shlex.quote(likely[0])}"
        return f"{_NO_TIMES}, though column {quote(likely[0])} may hold them: {option}", True
    names = listed([quote(name) for name in unused], 12)
    mend = "if one holds times, name it with --set data.columns.time=NAME"
    return f"{_NO_TIMES} (columns not used: {names}; {mend})", False


def _are_times(sheet: Sheet, place: int, unit: str) -> bool:
    """Whether the first values of a column are times."""
    try:
        column = sheet.beginning().take({"time": place}).columns["time"]
    except DataError:  # lists, or what is no text or number
        return False
    return _times(column, sheet.names[place], unit)[1]


def _times(column: Column, name: str, unit: str) -> tuple[NDArray[np.int64], bool]:
    """Unix seconds, and whether all of them are times of what somebody did, and not all the same."""
    seconds, bad, read_as = times(column, unit)
    years = read_as == UNITS["year"]
    if not len(seconds) or bad.any() or years or (_NUMBERS.search(name) and not _has_dates(column)):
        return seconds, False
    low, high = int(seconds.min()), int(seconds.max())
    return seconds, _FIRST <= low < high <= time.time() + 86_400


def _has_dates(column: Column) -> bool:
    """Whether its first value is a date with signs between its parts."""
    return bool(np.isnan(floats(column.values[:1])).any())


def _belongs_to(seconds: NDArray[np.int64], codes: NDArray[np.int32]) -> bool:
    """Whether each owner has one time, and some of them several rows."""
    of_owner = np.zeros(int(codes.max()) + 1, np.int64)
    of_owner[codes] = seconds
    return bool((of_owner[codes] == seconds).all()) and len(np.unique(codes)) < len(codes)
