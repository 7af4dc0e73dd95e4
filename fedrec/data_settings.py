"""Sections of a run's configuration: which data, how they are read and split, and who holds which rows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fedrec.settings import Section


class WorldConfig(Section):
    """The generated world of films, used when no data set is named."""

    users: int = Field(240, ge=10, description="private users, spread over the clients")
    items: int = Field(1200, ge=50, description="films in the catalogue")
    rows: int = Field(40, ge=5, description="mean number of interactions of a user")
    cohort: int = Field(3000, ge=10, description="public users, in no client, whom the base model may read")
    seed: int = Field(7, ge=0, description="seed of the world itself; the run's seed does not change it")


class ItemsConfig(Section):
    """The file of the titles, where they are not in the rows."""

    path: str | None = Field(None, description="item ids and titles; none = items.* or movies.* beside the data")
    columns: dict[str, str] = Field({}, description="its column names: item, title")


class DataConfig(Section):
    """Where the interactions come from and how they are split."""

    path: str | None = Field(None, description="file or folder; none = the generated world")
    format: str | None = Field(None, description="name of a reader; none = recognised by files and columns")
    like_above: float | None = Field(None, description="a rating above this is a like; none = per data set")
    split: Literal["auto", "given", "user-time", "global-time", "tallrec"] = Field(
        "auto", description="auto = the given split where there is one, else each user's last rows"
    )
    valid_fraction: float = Field(0.1, ge=0, lt=1, description="part of the rows for validation")
    test_fraction: float = Field(0.2, gt=0, lt=1, description="part of the rows, the latest, to measure on")
    train_rows: int | None = Field(None, ge=1, description="keep only this many train rows, drawn by the seed")
    skip_bad_rows: bool = Field(False, description="drop bad rows and count them; false = refuse the data")
    ids: Literal["careful", "exact"] = Field(
        "careful", description="careful = ids that differ only by case, width or what cannot be seen are refused"
    )
    columns: dict[str, str | None] = Field(
        {}, description="names of: user, item, rating, label, time, title, split, client; none = no column is"
    )
    items: ItemsConfig = ItemsConfig()
    separator: str | None = Field(None, min_length=1, description="between fields, tab and space by name; none = found")
    encoding: str | None = Field(None, description="of text files, such as latin-1; none = UTF-8 or UTF-16")
    time_unit: Literal["auto", "s", "ms", "us", "ns", "yyyymmdd", "year"] = Field(
        "auto", description="of times that are numbers; auto = recognised by their size"
    )
    world: WorldConfig = WorldConfig()


class ClientsConfig(Section):
    """Who holds which rows."""

    count: int = Field(5, ge=1, le=10_000, description="number of clients; a column or homes have their own")
    by: Literal["hash", "column", "kmeans"] = Field(
        "hash", description="hash of the user id, the data's client column, or K-means on taste in public item vectors"
    )
