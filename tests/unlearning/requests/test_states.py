"""The moves between states: where each leads, and that nobody is stuck."""

from __future__ import annotations

import pytest

from unlearning.requests.states import OPEN, PATH, STOPPED, TERMINAL, UNDONE, UNTOUCHED, State, may_move


def test_the_path_is_walked_one_state_at_a_time() -> None:
    for here, state in enumerate(PATH):
        forward = [there for there, to in enumerate(PATH) if may_move(state, to, None)]
        assert forward == ([here + 1] if state not in TERMINAL else [])


@pytest.mark.parametrize("state", sorted(OPEN - STOPPED))
def test_an_open_request_can_stop_and_goes_on_where_it_was(state: State) -> None:
    for stopped in STOPPED:
        assert may_move(state, stopped, None)
        ends = UNDONE if state in UNTOUCHED else set()
        assert {to for to in State if may_move(stopped, to, state)} == {state, *ends}


def test_nothing_leaves_the_end_and_only_the_undone_is_refused() -> None:
    assert not [(state, to) for state in TERMINAL for to in State if may_move(state, to, None)]
    for end in UNDONE:
        assert {state for state in State if may_move(state, end, None)} == UNTOUCHED
    assert State.QUARANTINED not in UNTOUCHED
    assert set(State) == OPEN | TERMINAL
