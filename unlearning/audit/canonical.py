"""One byte string for one JSON value, to be hashed and signed: the JSON Canonicalization Scheme (RFC 8785).

Keys sorted by UTF-16 code units, no spaces, UTF-8, numbers as ECMAScript writes them. What a reader of JSON might not
give back is refused: NaN, infinities, lone surrogates, integers beyond ±(2^53 - 1) (I-JSON, RFC 7493).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import rfc8785

_LARGEST = 2**53 - 1


def canonical(content: Any) -> bytes:
    """The canonical form of None, booleans, numbers, strings, and lists and string-keyed dictionaries of these.

    Raises:
        ValueError: the content has no canonical form.
    """
    return rfc8785.dumps(content)


def digest(content: Any) -> str:
    """SHA-256 of the canonical form, 64 hexadecimal digits.

    Raises:
        ValueError: the content has no canonical form.
    """
    return hashlib.sha256(canonical(content)).hexdigest()


def parse(raw: bytes) -> Any:
    """The content of a canonical byte string.

    Raises:
        ValueError: it is not JSON, or not in its canonical form (a space, a repeated key, a number spelled otherwise).
    """
    try:
        content = json.loads(raw.decode(), parse_int=_whole_number)
        same = canonical(content) == raw
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not same:
        raise ValueError("not in canonical form")
    return content


def _whole_number(text: str) -> int | float:
    """Large whole numbers are spelled without an exponent too, and are floats."""
    return int(text) if len(text) <= 15 or abs(int(text)) <= _LARGEST else float(text)
