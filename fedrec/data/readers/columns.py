"""Which column plays which role: named by option, or known by its usual name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fedrec.errors import DataError, UsageError

USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "user": ("user", "user_id", "uid"),
    "item": ("item", "item_id", "iid", "movie", "movie_id", "asin"),
    "rating": ("rating", "stars", "score"),
    "label": ("label", "like", "liked"),
    "time": ("timestamp", "time", "unix_time", "date"),
    "title": ("title", "name"),
    "split": ("split",),
    "client": ("client", "client_id"),
}


def find_columns(path: Path, names: list[str], options: Mapping[str, str], roles: tuple[str, ...]) -> dict[str, int]:
    """Role → position among the file's column `names`, for those of `roles` that the file has.

    Names are compared without case, `_`, `-` and spaces, so that userId, user_id and User-ID are one.

    Raises:
        UsageError: an option for a role that does not exist.
        DataError: an option names a column that the file does not have.
    """
    if unknown := sorted(set(options) - set(USUAL_NAMES)):
        raise UsageError(f"data.columns.{unknown[0]} is not a role: choose from {', '.join(USUAL_NAMES)}")
    plain = [_plain(name) for name in names]
    found = {}
    for role in roles:
        if role in options:
            if options[role] not in names:
                raise DataError(f"{path}: no column {options[role]!r} for {role}; there are {_listed(names)}")
            found[role] = names.index(options[role])
        elif usual := [name for name in map(_plain, USUAL_NAMES[role]) if name in plain]:
            found[role] = plain.index(usual[0])
    return found


def missing_column(path: Path, role: str, names: list[str]) -> DataError:
    """The error for a role that no column of the file plays."""
    option = role.split(" ")[0]
    return DataError(f"{path}: no {role} column among {_listed(names)}; name it with --set data.columns.{option}=NAME")


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name[:30]) for name in names[:12])
    return f"{shown}, ..." if len(names) > 12 else shown
