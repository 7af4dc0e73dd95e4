"""Whatever is tried with a request, in whatever order: it is done by the rules or refused without effect."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.errors import FedrecError
from tests.unlearning.requests.office import NOW, PLAN
from unlearning.requests import transitions
from unlearning.requests.policy import Policy
from unlearning.requests.request import Identity, Request, Signature
from unlearning.requests.scope import Kind, Scope
from unlearning.requests.states import OPEN, PATH, STOPPED, TERMINAL, UNDONE, State
from unlearning.requests.transitions import Decision, decided

IDENTITY = Identity("confirmed", "passport")
SIGNED = Signature("ben", NOW.isoformat(), "00" * 64)
REFUSED = Decision("refused", "not you", "the authority")
POLICY = Policy()
FACTS: list[dict[str, str]] = [
    {},
    {"reason": "a lawsuit"},
    {"certificate": "sha256:1"},
    {"reason": "disk full", "certificate": "sha256:1"},
]
LAST = FACTS[-1]
anything = st.one_of(
    st.tuples(st.just("advance"), st.sampled_from(State), st.sampled_from(FACTS)),
    st.tuples(st.sampled_from(["approve", "plan", "refuse", "cancel", "release", "extend"])),
)


def received() -> Request:
    return Request(
        id="r", received_at=NOW, recorded_at=NOW, channel="mail", pseudonym="p", scope=Scope(Kind.USER), sealed=b"",
        ground="17", requester="ada", due_at=date(2026, 2, 28),
    )  # fmt: skip


def tried(request: Request, what: tuple[Any, ...], hours: float) -> Request:
    now = NOW + timedelta(hours=hours)
    match what:
        case ("approve",):
            return transitions.approved(request, IDENTITY, SIGNED)
        case ("refuse",):
            return decided(request, REFUSED, POLICY, now)
        case ("cancel",):
            return decided(request, Decision("cancelled", "the person asked for it"), POLICY, now)
        case ("release",):
            return decided(request, Decision("released"), POLICY, now)
        case ("extend",):
            return decided(request, Decision("extended", "many"), POLICY, now)
        case ("plan",):
            return transitions.planned(request, PLAN, SIGNED)
        case (_, to, facts):
            return transitions.advanced(request, to, **facts)
    raise AssertionError(what)


@given(st.lists(anything, max_size=40))
def test_rules_hold_in_every_history(history: list[tuple[Any, ...]]) -> None:
    request = received()
    for hours, what in enumerate(history):
        before = request
        try:
            request = tried(request, what, hours)
        except FedrecError as error:
            assert "\n" not in str(error)
            continue
        assert (request.came_from is not None) == (request.state in STOPPED)
        assert before.state in OPEN or request == before
        reached = request.reached
        if reached not in UNDONE:
            passed = PATH[: PATH.index(reached) + 1]
            assert (
                (request.decision == "approved") == (State.IDENTIFIED in passed) == ("approved" in request.signatures)
            )
            assert State.PLANNED not in passed or request.plan is not None
            assert State.CLOSED not in passed or request.certificate
            assert PATH.index(reached) - PATH.index(before.reached) in (0, 1)
        else:
            assert request.decision == reached.value and request.reasons[reached.value]
            assert reached is State.CANCELLED or request.reasons["complaint"]
            assert before.reached not in PATH[PATH.index(State.QUARANTINED) :]
        assert (request.due_at > before.due_at) == (request.extended and not before.extended)


@given(st.sampled_from(PATH[1:]), st.sampled_from(FACTS))
def test_moving_to_where_it_is_changes_nothing(state: State, facts: dict[str, str]) -> None:
    request = transitions.approved(received(), IDENTITY, SIGNED)
    for to in PATH[2 : PATH.index(state) + 1]:
        planned = to is State.PLANNED
        request = transitions.planned(request, PLAN, SIGNED) if planned else transitions.advanced(request, to, **LAST)
    assert request.state in (state, State.IDENTIFIED)
    assert transitions.advanced(request, request.state, **facts) is request


def test_a_failed_request_is_tried_again_and_its_shards_are_sorted() -> None:
    request = transitions.approved(received(), IDENTITY, SIGNED)
    request = transitions.planned(request, {**PLAN, "shards": [3, 1, 3]}, SIGNED)
    assert request.shards == (1, 3)
    with pytest.raises(FedrecError, match="cannot be failed without a reason"):
        transitions.advanced(request, State.FAILED)
    failed = transitions.advanced(request, State.FAILED, "disk full")
    assert failed.reached is State.PLANNED and failed.reasons == {"failed": "disk full"}
    with pytest.raises(FedrecError, match="is failed at planned: it cannot become quarantined"):
        transitions.advanced(failed, State.QUARANTINED)
    assert decided(failed, Decision("released"), POLICY, NOW).state is State.PLANNED


def test_an_extension_is_given_once_with_a_reason_and_in_time() -> None:
    last_minute = NOW.replace(month=2, day=28, hour=23, minute=59)
    many = Decision("extended", "many requests")
    extended = decided(received(), many, POLICY, last_minute)
    assert (extended.due_at, extended.reasons) == (date(2026, 4, 30), {"extended": "many requests"})
    with pytest.raises(FedrecError, match="extended once already, to 2026-04-30"):
        decided(extended, many, POLICY, NOW)
    with pytest.raises(FedrecError, match="was due on 2026-02-28"):
        decided(received(), many, POLICY, last_minute + timedelta(minutes=1))
    with pytest.raises(FedrecError, match="reason"):
        decided(received(), Decision("extended", " "), POLICY, NOW)
    assert State.REFUSED in TERMINAL
    with pytest.raises(FedrecError, match="only an open request"):
        decided(decided(received(), REFUSED, POLICY, NOW), many, POLICY, NOW)


@pytest.mark.parametrize(("reason", "route"), [("", "the authority"), ("not you", " ")])
def test_a_refusal_gives_reason_and_route(reason: str, route: str) -> None:
    with pytest.raises(FedrecError, match=r"12\(4\)"):
        decided(received(), Decision("refused", reason, route), POLICY, NOW)
