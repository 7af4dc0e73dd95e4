"""The door: a source's text, checked row by row, becomes a `Dataset`."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from fedrec.data.dataset import TRAIN, Dataset, Interactions
from fedrec.data.readers.catalogue import catalogue_of_file, catalogue_of_rows, control, doubtful_titles, places_in
from fedrec.data.readers.likes import labels_of, one_sided
from fedrec.data.readers.names import id_checks, with_normal_ids
from fedrec.data.readers.repeated import repeated_rows
from fedrec.data.readers.sheet import Check, Column, Mask, RawTable, Source, bad_rows, quote
from fedrec.data.readers.time_column import guessed_times, without_times
from fedrec.data.readers.times import UNITS, doubtful_times, times
from fedrec.data.readers.values import LABELS, SPLIT_NAMES, coded, index_of, numbers, string_order
from fedrec.data_settings import DataConfig
from fedrec.errors import DataError
from fedrec.text import amount

_CLIENT_NAME = r"^[\p{L}\p{N}_][\p{L}\p{N}_.-]{0,63}$"  # it names a folder, so it must not be a path

Columns = dict[str, NDArray[Any]]


def assemble(source: Source, config: DataConfig) -> Dataset:
    """The data set of a source; one without a split column has train rows only."""
    source = with_normal_ids(source)
    table, skip = source.interactions, config.skip_bad_rows
    notes = [f"format {source.format}: {table.path.name}" + (f", {source.items.path.name}" if source.items else "")]
    notes += [_read_as(source)] if source.read_as else []
    if not len(table) and not table.broken:
        raise DataError(f"{table.path}: it has no rows")
    columns, checks, read_as = _parsed(table, config.time_unit)
    checks += id_checks(table.columns, config.ids == "exact")
    if source.items is None:
        naming = ~bad_rows(checks) if skip else np.ones(len(table), bool)  # a dropped row names nothing
        catalogue, place, several = catalogue_of_rows(*(table.columns[role].take(naming) for role in ("item", "title")))
        skipped = 0
        notes += [several] if several else []
    else:
        catalogue, skipped = catalogue_of_file(source.items, skip)
        place = places_in(catalogue, table.columns["item"])
    settings = "data.columns" if source.items is None else "data.items.columns"
    called, wordless = doubtful_titles(catalogue, f"{settings}.title")
    notes += [called] if called else []
    columns["item"] = place[table.columns["item"].codes]
    checks.append((columns["item"] < 0, lambda row: _homeless(source, table.columns["item"][row])))
    good = table.sift(checks, skip)
    nameless, skipped = skipped, skipped + int((~good).sum()) + len(table.broken)
    columns = columns if good.all() else {role: values[good] for role, values in columns.items()}
    warnings = [wordless]
    if "label" in columns:
        mend = "; if another column says what people liked, name it with --set data.columns.label=NAME"
        warnings.append(one_sided(columns["label"], mend))
    else:
        columns["label"], threshold, doubt = labels_of(columns["rating"], source, config.like_above)
        notes.append(threshold)
        warnings.append(doubt)
    if "time" not in table.columns:
        without, doubtful = without_times(source.unused)
        (warnings if doubtful else notes).append(without)
    elif read_as != UNITS["s"]:
        notes.append(f"the times are {read_as}")
    if source.guessed is not None:
        notes.append(guessed_times(source.guessed))
    if "time" in table.columns and config.time_unit == "auto":
        warnings.append(doubtful_times(columns["time"], time.time()))
    if skipped:
        of = f", {nameless:,} of them of {source.items.path.name}" if source.items and nameless else ""
        notes.append(f"{amount(skipped, 'bad row')} skipped{of}")
    rows = _sorted(columns, {role: column.take(good) for role, column in table.columns.items()})
    warnings += [repeated_rows(rows)] if "time" in table.columns else []
    told = tuple(warning for warning in warnings if warning)
    return Dataset(source.name, rows, catalogue, skipped, tuple(notes), told, listed=source.items is not None)


def _parsed(table: RawTable, time_unit: str) -> tuple[Columns, list[Check], str]:
    """The columns that are numbers, on all rows; all checks, in the order of reporting; what the times are read as."""
    texts = table.columns
    columns: Columns = {"time": np.arange(len(table)), "split": np.full(len(table), TRAIN, np.int8)}
    checks: list[Check] = [(texts[role].empty(), f"the {role} is empty".format) for role in ("user", "item")]
    if "title" in texts:
        checks.append(control(texts["title"]))
    read_as = UNITS["s"]

    def parse(role: str, parsed: tuple[NDArray[Any], Mask], expected: str) -> None:
        columns[role], bad = parsed
        checks.append((bad, lambda row: f"{role} {quote(texts[role][row])} is not {expected}"))

    if "label" in texts:
        parse("label", coded(texts["label"], LABELS), "0/1, true/false, yes/no, up/down or like/dislike")
    else:
        parse("rating", numbers(texts["rating"]), "a number")
    if "time" in texts:
        seconds, bad, read_as = times(texts["time"], time_unit)
        mend = "; convert the column to one of the two" if 2 * bad.sum() > len(bad) else ""
        parse("time", (seconds, bad), f"{read_as} or an ISO date such as 2001-06-30T12:00:00{mend}")
    if "split" in texts:
        parse("split", coded(texts["split"], SPLIT_NAMES), "train, valid or test")
    if "client" in texts:
        bad = texts["client"].where(pc.invert(pc.match_substring_regex(texts["client"].values, _CLIENT_NAME)))
        expected = "a name of letters, digits and . _ -"
        checks.append((bad, lambda row: f"client {quote(texts['client'][row])} is not {expected}"))
    return columns, checks, read_as


def _read_as(source: Source) -> str:
    """Which column plays which role, by its name in the file."""
    idle = {"rating"} if "label" in source.read_as else set()
    idle |= {"title"} if source.items else set()
    roles = [f"{role} = {quote(name)}" for role, name in source.read_as.items() if role not in idle]
    roles += [f"title from {source.items.path.name}"] if source.items else []
    return f"columns: {', '.join(roles)}"


def _homeless(source: Source, item: str) -> str:
    return f"item {quote(item)} " + (f"is not in {source.items.path}" if source.items else "has no title")


def _sorted(columns: Columns, texts: dict[str, Column]) -> Interactions:
    user, user_ids = index_of(texts["user"])
    # clients in the order in which a run lists their folders
    client, client_ids = index_of(texts["client"], string_order) if "client" in texts else (None, ())
    rest = columns["split"] * 2 + columns["label"]
    ties = (rest,) if client is None else (client, rest)  # so that the order of the file never matters
    of_rows = {role: columns[role] for role in ("item", "label", "time", "split")}
    return Interactions(user, user_ids=user_ids, client=client, client_ids=client_ids, ties=ties, **of_rows)
