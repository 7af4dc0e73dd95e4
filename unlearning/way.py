"""The ways in which a request can be carried out. Its plan fixes one before anything is done.

exact         the shards are trained again from their start without the rows
approximate   the trained adapters are changed until they answer about as if they had never read them (E2URec)
bridge        both: the approximate answer is served at once, and replaced by the exact one when that is trained

Whichever is chosen, what cannot be forgotten approximately, or is not shown to be, is trained again: nobody is left
with less than an exact answer for want of a measurement.
"""

from __future__ import annotations

from enum import StrEnum

from fedrec.errors import UsageError


class Way(StrEnum):
    EXACT = "exact"
    APPROXIMATE = "approximate"
    BRIDGE = "bridge"


def way_named(name: str) -> Way:
    """
    Raises:
        UsageError: there is none of that name.
    """
    try:
        return Way(name)
    except ValueError:
        raise UsageError(f"way {name}: choose {', '.join(Way)}") from None


UNLEARNED = "approximate-"
"""How the method of an approximate certificate begins, and no other's."""
