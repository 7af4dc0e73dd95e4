"""What a certificate may claim of a model, in fixed words: exactly one of three, or approximately to a threshold."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Annotated

from pydantic import AfterValidator

from unlearning.audit.canonical import canonical

RETRAINED = "retrained without"
NEVER_LEARNED = "never learned from"
NOTHING_FOUND = "no record found"
_EXACT = (RETRAINED, NEVER_LEARNED, NOTHING_FOUND)
_APPROXIMATE = "approximately forgotten to threshold "


def exactly(shards: Collection[int], found: bool) -> str:
    """The claim of a method that is exact.

    Args:
        shards: those that had learned from the records, all trained again.
        found: whether there was any record.
    """
    if shards:
        return RETRAINED
    return NEVER_LEARNED if found else NOTHING_FOUND


def approximately(threshold: float) -> str:
    """The claim of a method that is not exact: `Thresholds.membership` of its verification.

    Raises:
        ValueError: the threshold is not above zero.
    """
    if not (math.isfinite(threshold) and threshold > 0):
        raise ValueError(f"threshold {threshold}: must be above 0")
    return _APPROXIMATE + canonical(threshold).decode()


def claimed_threshold(claim: str) -> float | None:
    """The threshold of an approximate claim; None for an exact one.

    Raises:
        ValueError: it is neither.
    """
    if claim in _EXACT:
        return None
    threshold = float(claim.removeprefix(_APPROXIMATE))
    if claim != approximately(threshold):
        raise ValueError(f"claim {claim!r}: not one that can be made")
    return threshold


def _checked(claim: str) -> str:
    claimed_threshold(claim)
    return claim


Claim = Annotated[str, AfterValidator(_checked)]
