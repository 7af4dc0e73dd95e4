"""What a vault's methods return: counts, ids of tombstones and keyed digests, no person."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Imported:
    """How many rows are new, were there already, and may not come back."""

    added: int
    repeated: int
    refused: int


@dataclass(frozen=True)
class Restored:
    """How many rows came back, and how many may not."""

    rows: int
    refused: int


@dataclass(frozen=True)
class Erased:
    """How many rows a request deleted, and the ids of its tombstones."""

    rows: int
    tombstones: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """A tombstone as anybody may see it; `made` in Unix seconds, `refused` counts the rows it kept out."""

    id: str
    request: str
    kind: str
    since: int | None
    until: int | None
    made: int
    refused: int


@dataclass(frozen=True)
class Manifest:
    """How much is there, and what the rows are known by.

    The same rows give the same digest as long as the vault lives, so whoever gets digests can tell whether the rows are
    those of last time. Who has no key cannot try rows on it, for example to find out who is not among them any more.

    Attributes:
        digest: HMAC-SHA256 of the rows (`content_hash`) under the vault's key; none once the key is destroyed.
        refused: rows that tombstones kept out.
    """

    rows: int
    users: int
    items: int
    digest: str | None
    tombstones: int
    refused: int
    key_destroyed: bool


@dataclass(frozen=True)
class Use:
    """Rows that training used: how many, and HMAC-SHA256 of their content (none once the key is destroyed)."""

    run: str
    shard: int
    round: int
    rows: int
    digest: str | None
