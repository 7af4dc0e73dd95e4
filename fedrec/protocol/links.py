"""Links of a chain of erasures as they travel: number, request, head, and the sealed tombstones in hex."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from fedrec.text import shown
from fedrec.vault.chain import Link


def _read(value: Any) -> Link:
    match value:
        case Link():
            return value
        case [int() as number, str() as request, str() as head, str() as sealed] if not isinstance(number, bool):
            return Link(number, request, head, bytes.fromhex(sealed))
    raise ValueError(f"{shown(value)} is no link of a chain of erasures")


def _written(link: Link) -> list[int | str]:
    return [link.number, link.request, link.head, link.sealed.hex()]


Links = tuple[Annotated[Link, PlainValidator(_read), PlainSerializer(_written)], ...]
