"""The states of a request and the moves between them.

received → identified → planned → quarantined → erasing → verifying → published → closed

Any of them but the last may be held, or fail, and goes on from where it stopped. Refused and cancelled end a request
before anything was carried out, also one that is held or failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from itertools import pairwise


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


PATH = (
    State.RECEIVED, State.IDENTIFIED, State.PLANNED, State.QUARANTINED, State.ERASING, State.VERIFYING, State.PUBLISHED,
    State.CLOSED,
)  # fmt: skip
UNDONE = frozenset({State.REFUSED, State.CANCELLED})
TERMINAL = UNDONE | {State.CLOSED}
OPEN = frozenset(State) - TERMINAL
STOPPED = frozenset({State.HELD, State.FAILED})
WITHDRAWN = frozenset({State.QUARANTINED, State.ERASING, State.VERIFYING})
OUT = WITHDRAWN | {State.PUBLISHED}  # until the certificate the run keeps the models of before
UNTOUCHED = frozenset({State.RECEIVED, State.IDENTIFIED, State.PLANNED})
"""Nothing was carried out yet."""


def _moves() -> dict[State, frozenset[State]]:
    moves = {state: frozenset({after}) | STOPPED for state, after in pairwise(PATH)}
    moves |= {state: moves[state] | UNDONE for state in UNTOUCHED}
    moves |= dict.fromkeys(STOPPED, frozenset(PATH[:-1]) | UNDONE)
    return moves | dict.fromkeys(TERMINAL, frozenset())


TRANSITIONS: Mapping[State, frozenset[State]] = _moves()
"""The moves out of each state; out of a stopped one, only those that `may_move` allows."""


def may_move(state: State, to: State, came_from: State | None) -> bool:
    """Whether a request in `state`, stopped at `came_from` if it is held or failed, may go to `to`."""
    if state in STOPPED:
        return to == came_from or (to in UNDONE and came_from in UNTOUCHED)
    return to in TRANSITIONS[state]
