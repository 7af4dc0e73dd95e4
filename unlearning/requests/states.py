"""The states of a request and the moves between them.

received → identified → planned → quarantined → erasing → verifying → published → closed

Any of them but the last may be held, or fail, and goes on from where it stopped. Refused ends a request before anything
was carried out.
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
    HELD = "held"
    FAILED = "failed"


PATH = (
    State.RECEIVED, State.IDENTIFIED, State.PLANNED, State.QUARANTINED, State.ERASING, State.VERIFYING, State.PUBLISHED,
    State.CLOSED,
)  # fmt: skip
TERMINAL = frozenset({State.CLOSED, State.REFUSED})
OPEN = frozenset(State) - TERMINAL
STOPPED = frozenset({State.HELD, State.FAILED})
WITHDRAWN = frozenset({State.QUARANTINED, State.ERASING, State.VERIFYING})
REFUSABLE = frozenset({State.RECEIVED, State.IDENTIFIED, State.PLANNED})


def _moves() -> dict[State, frozenset[State]]:
    moves = {state: frozenset({after}) | STOPPED for state, after in pairwise(PATH)}
    moves |= {state: moves[state] | {State.REFUSED} for state in REFUSABLE}
    moves |= dict.fromkeys(STOPPED, frozenset(PATH[:-1]))
    return moves | dict.fromkeys(TERMINAL, frozenset())


TRANSITIONS: Mapping[State, frozenset[State]] = _moves()
"""The moves out of each state; out of a stopped one, only the move back to where it stopped: see `may_move`."""


def may_move(state: State, to: State, came_from: State | None) -> bool:
    """Whether a request in `state`, stopped at `came_from` if it is held or failed, may go to `to`."""
    return to in TRANSITIONS[state] and (state not in STOPPED or to == came_from)
