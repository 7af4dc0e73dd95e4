"""The catalogue of a source: of its item file, or of the titles in its rows; each in the order that is its own."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from fedrec.data.readers.sheet import Check, Column, RawTable, bad_rows, quote
from fedrec.data.readers.values import natural_order
from fedrec.data.table import Catalogue

_CONTROL = r"[\p{Cc}\x{2028}\x{2029}]"


def catalogue_of_file(items: RawTable, skip: bool) -> tuple[Catalogue, int]:
    """The item file's catalogue in its own order, and the number of lines dropped.

    Raises:
        DataError: the first bad line, unless `skip` and there are good ones.
    """
    ids, titles = items.columns["item"], items.columns["title"]
    checks: list[Check] = [
        (ids.empty(), "the item id is empty".format),
        (titles.empty(), lambda row: f"item {quote(ids[row])} has no title"),
        control(titles),
    ]
    sound = np.flatnonzero(~bad_rows(len(items), checks))
    repeated = np.zeros(len(items), bool)
    repeated[np.delete(sound, np.unique(ids.codes[sound], return_index=True)[1])] = True
    checks.append((repeated, lambda row: f"item {quote(ids[row])} is listed a second time"))
    good = items.sift(checks, skip)
    chosen = [column.values.take(column.take(good).codes).to_pylist() for column in (ids, titles)]
    return Catalogue(tuple(chosen[0]), tuple(chosen[1])), int((~good).sum()) + len(items.broken)


def catalogue_of_rows(ids: Column, titles: Column) -> tuple[Catalogue, str | None]:
    """The items that have a title in some row, in natural order; of several titles the first in the alphabet.

    Also what to say where items have several.
    """
    spelt, names = ids.values.to_pylist(), titles.values.to_pylist()
    item, title = _pairs(ids, titles)
    chosen: dict[str, str] = {}
    for i, t in zip(item.tolist(), title.tolist(), strict=True):
        chosen[spelt[i]] = min(chosen.get(spelt[i], names[t]), names[t])
    order = natural_order(list(chosen))
    several = {spelt[i] for i in np.flatnonzero(np.bincount(item) > 1).tolist()}
    catalogue = Catalogue(tuple(name for _, name in order), tuple(chosen[name] for _, name in order))
    return catalogue, _told([name for _, name in order if name in several])


def control(titles: Column) -> Check:
    """A line break or a tab is no part of a title: most likely rows ran together."""
    bad = titles.where(pc.match_substring_regex(titles.values, _CONTROL))
    return bad, lambda row: f"title {quote(titles[row])} holds a line break or another control character"


def _told(several: list[str]) -> str | None:
    if not several:
        return None
    who = "1 item has" if len(several) == 1 else f"{len(several):,} items have"
    first = quote(several[0]) if len(several) == 1 else f"the first is {quote(several[0])}"
    return f"{who} more than one title ({first}): the first in the alphabet is used"


def _pairs(ids: Column, titles: Column) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Item and title codes of the distinct pairs in the rows, sorted, without empty ones."""
    one = np.full(len(ids.values), -1, np.int32)
    one[ids.codes] = titles.codes  # some title of each item: most often it has no other
    if (one[ids.codes] == titles.codes).all():
        item = np.flatnonzero(one >= 0)
        title = one[item].astype(np.int64)
    else:
        pairs = np.unique(ids.codes.astype(np.int64) * len(titles.values) + titles.codes)
        item, title = np.divmod(pairs, len(titles.values))
    there = [pc.not_equal(column.values, "").to_numpy(zero_copy_only=False) for column in (ids, titles)]
    both = there[0][item] & there[1][title]
    return item[both], title[both]
