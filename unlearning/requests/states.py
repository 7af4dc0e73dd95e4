"""The states of a request and the moves between them.

received → identified → planned → quarantined → erasing → verifying → published → closed

Any of them but the last may be held, or fail, and goes on from where it stopped. Refused and cancelled end a request
before anything was carried out, also one that is held or failed.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a request is."""

    RECEIVED = "received"
    IDENTIFIED = "identified"
    PLANNED = "planned"
    QUARANTINED = "quarantined"
    ERASING = "erasing"
    VERIFYING = "verifying"
    PUBLISHED = "published"
    CLOSED = "closed"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    HELD = "held"
    FAILED = "failed"


PATH = tuple(State)[: [*State].index(State.CLOSED) + 1]
UNDONE = frozenset({State.REFUSED, State.CANCELLED})
TERMINAL = UNDONE | {State.CLOSED}
OPEN = frozenset(State) - TERMINAL
STOPPED = frozenset({State.HELD, State.FAILED})
WITHDRAWN = frozenset({State.QUARANTINED, State.ERASING, State.VERIFYING})
OUT = WITHDRAWN | {State.PUBLISHED}  # until the certificate the run keeps the models of before
UNTOUCHED = frozenset({State.RECEIVED, State.IDENTIFIED, State.PLANNED})
"""Nothing was carried out yet."""


def may_move(state: State, to: State, came_from: State | None) -> bool:
    """Whether a request in `state`, stopped at `came_from` if it is held or failed, may go to `to`."""
    reached = came_from if state in STOPPED else state
    if state in TERMINAL or reached is None:
        return False
    if to in UNDONE:
        return reached in UNTOUCHED
    if state in STOPPED:
        return to == reached
    return to in STOPPED or to == PATH[PATH.index(state) + 1]
