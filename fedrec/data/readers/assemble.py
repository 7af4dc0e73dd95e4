"""The door: a source's text, checked row by row, becomes a `Dataset`."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fedrec.data.readers.names import id_checks, with_normal_ids
from fedrec.data.readers.sheet import Check, Mask, RawTable, quote
from fedrec.data.readers.source import Source
from fedrec.data.readers.values import LABELS, SPLIT_NAMES, coded, index_of, natural_order, numbers, times
from fedrec.data.table import TRAIN, Catalogue, Dataset, Interactions, sort_rows
from fedrec.errors import DataError

_CLIENT_NAME = re.compile(r"\w[\w.-]{0,63}")  # it names a folder, so it must not be a path

Columns = dict[str, NDArray[Any]]


def assemble(source: Source, like_above: float | None, skip_bad_rows: bool, exact_ids: bool = False) -> Dataset:
    """The data set of a source; one without a split column has train rows only.

    Args:
        like_above: a rating above it is a like; None = the source's own threshold, or the midpoint of the ratings.
        exact_ids: ids that look alike and are not equal are different people, or items.

    Raises:
        DataError: the first bad row, unless `skip_bad_rows`; no good rows; no like threshold to be had.
    """
    source = with_normal_ids(source)
    table = source.interactions
    notes = [f"format {source.format}: {table.path.name}" + (f", {source.items.path.name}" if source.items else "")]
    if source.items is None:
        catalogue, skipped = _catalogue_of_rows(table.columns), 0
        notes += _note_titles(table.columns)
    else:
        catalogue, skipped = _catalogue(source.items, skip_bad_rows)
    columns, checks = _parsed(table)
    checks += id_checks(table.columns, exact_ids)
    columns["item"] = pd.Index(catalogue.ids, dtype="str").get_indexer(pd.Index(table.columns["item"]))
    checks.append((columns["item"] < 0, lambda row: _homeless(source, table.columns["item"].iloc[row])))
    good = table.sift(checks, skip_bad_rows)
    if not good.any():
        raise DataError(f"{table.path}: " + ("every row is bad" if len(table) or table.broken else "it has no rows"))
    skipped += int((~good).sum()) + len(table.broken)
    columns = {role: values[good] for role, values in columns.items()}
    if "label" not in columns:
        columns["label"], note = _likes(columns["rating"], source, like_above)
        notes.append(note)
    if "time" not in table.columns:
        notes.append("no times: the order of the file counts")
    if skipped:
        notes.append(f"{skipped} bad rows skipped")
    return Dataset(source.name, _sorted(columns, table.columns[good]), catalogue, skipped, tuple(notes))


def _parsed(table: RawTable) -> tuple[Columns, list[Check]]:
    """The columns that are numbers, on all rows, and the checks of all columns, in the order of reporting."""
    texts = table.columns
    columns: Columns = {"time": np.arange(len(table)), "split": np.full(len(table), TRAIN, np.int8)}
    checks: list[Check] = [(_empty(texts[role]), f"the {role} is empty".format) for role in ("user", "item")]

    def parse(role: str, parsed: tuple[NDArray[Any], Mask], expected: str) -> None:
        columns[role], bad = parsed
        checks.append((bad, lambda row: f"{role} {quote(texts[role].iloc[row])} is not {expected}"))

    if "label" in texts:
        parse("label", coded(texts["label"], LABELS), "0/1, true/false or yes/no")
    else:
        parse("rating", numbers(texts["rating"]), "a number")
    if "time" in texts:
        parse("time", times(texts["time"]), "Unix seconds or an ISO date such as 2001-06-30T12:00:00")
    if "split" in texts:
        parse("split", coded(texts["split"], SPLIT_NAMES), "train, valid or test")
    if "client" in texts:
        bad = ~texts["client"].str.fullmatch(_CLIENT_NAME.pattern).to_numpy(bool)
        checks.append(
            (bad, lambda row: f"client {quote(texts['client'].iloc[row])} is not a name of letters, digits and . _ -")
        )
    return columns, checks


def _catalogue(items: RawTable, skip: bool) -> tuple[Catalogue, int]:
    """The item file's catalogue in its own order, and the number of lines dropped."""
    ids, titles = items.columns["item"], items.columns["title"]
    checks: list[Check] = [
        (_empty(ids), "the item id is empty".format),
        (_empty(titles), lambda row: f"item {quote(ids.iloc[row])} has no title"),
        (ids.duplicated().to_numpy(), lambda row: f"item {quote(ids.iloc[row])} is listed a second time"),
    ]
    good = items.sift(checks, skip)
    return Catalogue(tuple(ids[good]), tuple(titles[good])), int((~good).sum()) + len(items.broken)


def _catalogue_of_rows(texts: pd.DataFrame) -> Catalogue:
    """The items that have a title in some row, in natural order; of several titles the first in the alphabet."""
    named = texts.loc[(texts["item"] != "") & (texts["title"] != ""), ["item", "title"]]
    title = named.groupby("item")["title"].min()
    order = [position for position, _ in natural_order([str(item) for item in title.index])]
    return Catalogue(tuple(title.index[order]), tuple(title.iloc[order]))


def _note_titles(texts: pd.DataFrame) -> list[str]:
    several = int((texts[texts["title"] != ""].groupby("item")["title"].nunique() > 1).sum())
    return [f"{several} items have more than one title: the first in the alphabet is used"] if several else []


def _homeless(source: Source, item: str) -> str:
    if source.items is None:
        return f"item {quote(item)} has no title"
    return f"item {quote(item)} is not in {source.items.path}"


def _likes(ratings: NDArray[np.float64], source: Source, given: float | None) -> tuple[NDArray[np.int8], str]:
    """Labels by threshold, and the note that names it."""
    low, high = float(ratings.min()), float(ratings.max())
    if given is not None:
        threshold, why = given, "as given"
    elif source.like_above is not None:
        threshold, why = source.like_above, f"usual for {source.format}"
    elif low < high:
        threshold, why = (low + high) / 2, f"the midpoint of the ratings {low:g} to {high:g}"
    else:
        raise DataError(
            f"{source.interactions.path}: every rating is {low:g}, so no like threshold follows;"
            " give one with --like-above"
        )
    return (ratings > threshold).astype(np.int8), f"a rating above {threshold:g} is a like ({why})"


def _sorted(columns: Columns, texts: pd.DataFrame) -> Interactions:
    user, user_ids = index_of(texts["user"])
    client, client_ids = _clients(texts["client"]) if "client" in texts else (None, ())
    # Rows alike in user, time and item are put in order by the rest, so that the order of the file never matters.
    rest = [columns["label"], columns["split"]] + ([] if client is None else [client])
    order = np.lexsort(rest)
    return sort_rows(
        user[order],
        columns["item"][order].astype(np.int32),
        columns["label"][order].astype(np.int8),
        columns["time"][order].astype(np.int64),
        columns["split"][order].astype(np.int8),
        user_ids,
        None if client is None else client[order],
        client_ids,
    )


def _clients(names: pd.Series[str]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Indices (n,) into the names in plain string order: that in which a run lists its clients' folders."""
    client_ids, client = np.unique(names.to_numpy(object), return_inverse=True)
    return client.astype(np.int32), tuple(str(name) for name in client_ids)


def _empty(texts: pd.Series[str]) -> Mask:
    return np.asarray(texts == "", bool)
