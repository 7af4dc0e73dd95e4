"""The catalogue of a source: of its item file, or of the titles in its rows; each in the order that is its own."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import Catalogue
from fedrec.data.readers.arrow import are_empty, holding, taken
from fedrec.data.readers.sheet import Check, Column, RawTable, bad_rows, quote
from fedrec.data.readers.values import natural_order
from fedrec.text import amount

_SAMPLE = 1000
_LETTER, _WORD = re.compile(r"[^\W\d_]"), re.compile(r"(?<!\w)[^\W\d_]{2,}(?!\w)")
_CONTROL = r"[\p{Cc}\x{2028}\x{2029}]"


def catalogue_of_file(items: RawTable, skip: bool) -> tuple[Catalogue, int]:
    """The item file's catalogue in its own order, and the number of lines dropped; see `RawTable.sift`."""
    ids, titles = items.columns["item"], items.columns["title"]
    checks: list[Check] = [
        (ids.empty(), "the item id is empty".format),
        (titles.empty(), lambda row: f"item {quote(ids[row])} has no title"),
        control(titles),
    ]
    sound = np.flatnonzero(~bad_rows(checks))
    repeated = np.zeros(len(items), bool)
    repeated[np.delete(sound, np.unique(ids.codes[sound], return_index=True)[1])] = True
    checks.append((repeated, lambda row: f"item {quote(ids[row])} is listed a second time"))
    good = items.sift(checks, skip)
    chosen = [column.values.take(column.take(good).codes).to_pylist() for column in (ids, titles)]
    return Catalogue(tuple(chosen[0]), tuple(chosen[1])), int((~good).sum()) + len(items.broken)


def catalogue_of_rows(ids: Column, titles: Column) -> tuple[Catalogue, NDArray[np.int32], str | None]:
    """The items that have a title in some row, in natural order; of several titles the first in the alphabet.

    Also where in it each of the ids' texts is, -1 where it is not; and what to say where items have several titles.
    """
    item, title = _pairs(ids, titles)
    starts = np.flatnonzero(np.diff(item, prepend=-1))
    ends = np.append(starts[1:], len(item))
    several, chosen = np.flatnonzero(ends - starts > 1), title[starts]
    for k in several:
        chosen[k] = min(title[starts[k] : ends[k]], key=lambda t: str(titles.values[int(t)]))
    codes = item[starts]
    order = natural_order(taken(ids.values, codes))
    names = taken(ids.values, codes[order]).to_pylist()
    place = np.full(len(ids.values), -1, np.int32)
    place[codes[order]] = np.arange(len(order), dtype=np.int32)
    told = _told([names[i] for i in np.sort(place[codes[several]])])
    return Catalogue(tuple(names), tuple(taken(titles.values, chosen[order]).to_pylist())), place, told


def places_in(catalogue: Catalogue, ids: Column) -> NDArray[np.int32]:
    """Where in the catalogue each of the ids' texts is, -1 where it is not."""
    return np.array([catalogue.place.get(name, -1) for name in ids.values.to_pylist()], np.int32)


def doubtful_titles(catalogue: Catalogue, option: str) -> tuple[str | None, str | None]:
    """A note where items are called by their ids, and a warning where titles have no words to learn from.

    Args:
        option: the setting that names the titles' column.
    """
    step = max(1, len(catalogue) // _SAMPLE)
    some = list(zip(catalogue.ids[::step], catalogue.titles[::step], strict=True))
    are_ids = all(id == title for id, title in some)
    pattern = _WORD if are_ids else _LETTER  # codes have letters too
    if 2 * sum(pattern.search(title) is not None for _, title in some) < len(some):
        what = "the titles are the items' ids" if are_ids else "most titles are numbers or signs"
        return None, (
            f"{what}, such as {quote(some[0][1])}: a language model can learn nothing from them; name the column of the"
            f" titles with --set {option}=NAME, or their file with --items FILE"
        )
    return ("items are told apart by their titles, which are their ids too" if are_ids and some else None), None


def control(titles: Column) -> Check:
    """A line break or a tab is no part of a title: most likely rows ran together."""
    bad = titles.where(holding(titles.values, _CONTROL))
    return bad, lambda row: f"title {quote(titles[row])} holds a line break or another control character"


def _told(several: list[str]) -> str | None:
    if not several:
        return None
    who = amount(len(several), "item has", "items have")
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
    both = ~(are_empty(ids.values)[item] | are_empty(titles.values)[title])
    return item[both], title[both]
