"""Which column plays which role: named by option, or known by its usual name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from fedrec.data.readers.sheet import listed
from fedrec.errors import DataError, UsageError

_ITEMS = (
    "item", "item_id", "iid", "movie", "movie_id", "asin", "product_id", "game_id", "book_id", "anime_id", "isbn",
    "business_id", "recipe_id", "song_id", "track_id", "artist_id",
)  # fmt: skip
_THINGS = [name.removesuffix("_id") for name in _ITEMS if name.endswith("_id")]
USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "user": ("user", "user_id", "uid", "reviewer_id", "customer_id"),
    "item": _ITEMS,
    "rating": ("rating", "stars", "score", "overall", "star_rating", "book_rating", "user_rating"),
    "label": ("label", "like", "liked"),
    "time": ("timestamp", "time", "unix_time", "unix_review_time", "review_date", "date"),
    "title": (
        "title", "name", "movie_title", "product_title", "book_title", "item_name", "item_title", "game_name",
        "track_name", "song_name", "artist_name", "anime_name",
        *(f"{thing}_{called}" for thing in _THINGS for called in ("title", "name")),
    ),
    "split": ("split",),
    "client": ("client", "client_id"),
}  # fmt: skip
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")


def find_columns(
    path: Path,
    names: list[str],
    options: Mapping[str, str | None],
    roles: tuple[str, ...],
    setting: str = "data.columns",
) -> dict[str, int]:
    """Role → position among the file's column `names`, for those of `roles` that the file has.

    Names are compared without case, `_`, `-` and spaces, so that userId, user_id and User-ID are one.

    Args:
        options: role → name of its column, None where no column is to play it.
        setting: where the options come from, for messages.
    """
    if unknown := sorted(set(options) - set(USUAL_NAMES if len(roles) > 2 else roles)):
        raise UsageError(f"{setting}.{unknown[0]} is not a role: choose from {', '.join(roles)}")
    plain = [_plain(name) for name in names]
    found = {}
    for role in roles:
        if role in options:
            if (named := options[role]) is None:
                continue
            if named not in names:
                raise DataError(f"{path}: no column {named!r} for {role}; there are {_listed(names)}")
            found[role] = names.index(named)
        elif usual := [name for name in map(_plain, USUAL_NAMES[role]) if name in plain]:
            found[role] = plain.index(usual[0])
    return found


def missing_columns(path: Path, roles: list[str], names: list[str], setting: str = "data.columns") -> DataError:
    """The error for roles that no column of the file plays, with the mend that helps with such a file."""
    if not any(names) or names[0].startswith("sep="):  # Excel writes the latter
        return DataError(f"{path}: its first line, {_listed(names)}, names no columns; remove what is above the names")
    if len(names) < 2:
        return DataError(
            f"{path}: one column only, {_listed(names)}; say what sets its fields apart, for example"
            " --set data.separator=';' (or tab, or space)"
        )
    if any(_NUMBER.fullmatch(name) for name in names):
        return DataError(
            f"{path}: its first line, {_listed(names)}, does not name columns; write one above it with a name for"
            f" each of the {len(names)}: user, item, rating, timestamp, title or others"
        )
    missing = " and ".join(f"no {role} column" for role in roles)
    mends = "; ".join(_mend(role, setting) for role in roles)
    if "title" in roles and "item" not in roles and setting == "data.columns":
        mends += ", or the column of the items itself where they are called by their titles"
    return DataError(f"{path}: {missing} among {_listed(names)}; {mends}")


def _mend(role: str, setting: str) -> str:
    if role == "rating or label":
        return (
            f"name a column of ratings with --set {setting}.rating=NAME, or one of 0/1 likes with"
            f" --set {setting}.label=NAME (without either this is implicit feedback, which is not read)"
        )
    named = f"name the {role} with --set {setting}.{role}=NAME"
    if role == "title" and setting == "data.columns":
        return f"{named}, or the file of the titles with --items FILE"
    return named


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")


def _listed(names: list[str]) -> str:
    return listed([repr(name[:30]) for name in names], 12)
