"""One byte string for one JSON value, to be hashed and signed: the JSON Canonicalization Scheme (RFC 8785).

Keys sorted by UTF-16 code units, no spaces, UTF-8, numbers as ECMAScript writes them. What a reader of JSON might not
give back is refused: NaN, infinities, lone surrogates, integers beyond ±(2^53 - 1) (I-JSON, RFC 7493).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_LARGEST = 2**53 - 1


def canonical(content: Any) -> bytes:
    """The canonical form of None, booleans, numbers, strings, and lists and string-keyed mappings of these.

    Raises:
        ValueError: the content has no canonical form.
    """
    return _text(content).encode()


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


def _text(content: Any) -> str:
    if content is None or isinstance(content, bool | str):
        return json.dumps(content, ensure_ascii=False)
    if isinstance(content, int):
        if abs(content) > _LARGEST:
            raise ValueError(f"integer of {content.bit_length()} bits: at most 53 survive JSON; write it as a string")
        return str(int(content))
    if isinstance(content, float):
        return _number(content)
    if isinstance(content, list | tuple):
        return f"[{','.join(map(_text, content))}]"
    if isinstance(content, Mapping):
        if not all(isinstance(key, str) for key in content):
            raise ValueError("a key of a JSON object is a string")
        keys = sorted(content, key=lambda key: key.encode("utf-16-be"))
        return f"{{{','.join(f'{_text(key)}:{_text(content[key])}' for key in keys)}}}"
    raise ValueError(f"no JSON value: {type(content).__name__}")


def _whole_number(text: str) -> int | float:
    """Large whole numbers are spelled without an exponent too, and are floats."""
    return int(text) if len(text) <= 15 or abs(int(text)) <= _LARGEST else float(text)


def _number(value: float) -> str:
    """ECMAScript's Number::toString (ECMA-262, 6.1.6.1.20): 0.d1d2…dk · 10^point, with the shortest digits d."""
    if not math.isfinite(value):
        raise ValueError("NaN and infinities are no JSON numbers")
    if value == 0:
        return "0"
    _, figures, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    digits, sign = "".join(map(str, figures)), "-" if value < 0 else ""
    point = len(digits) + int(exponent)
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"
