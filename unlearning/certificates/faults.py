"""How a check says what does not hold: it is a function that raises `Fault`, and may give what is told otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Parts = Mapping[str, Any]
"""The content of a bundle's files, by name."""


class Fault(ValueError):
    """What is wrong, in one line."""


class Check(NamedTuple):
    name: str
    ok: bool
    why: str


def require(holds: object, otherwise: str) -> None:
    """
    Raises:
        Fault: it does not hold.
    """
    if not holds:
        raise Fault(otherwise)


def checked(name: str, check: Callable[..., str | None], *subjects: Any) -> Check:
    """What came of a check; content of another form than it reads fails it."""
    try:
        return Check(name, True, check(*subjects) or "as certified")
    except Fault as fault:
        return Check(name, False, str(fault))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        return Check(name, False, "not in the form that a bundle has")
