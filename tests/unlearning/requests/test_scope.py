"""Scopes: what a request says in the clear, and when two are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.data.selection import Selection
from fedrec.errors import UsageError
from unlearning.audit.canonical import canonical
from unlearning.requests.scope import Kind, Scope, described, scope_of, subject_of

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("selection", "client", "scope", "subject"),
    [
        (Selection(users=("7",)), None, Scope(Kind.USER, conditions=("person",)), "user:7"),
        (Selection(users=("7",)), "c1", Scope(Kind.USER, "c1", conditions=("person", "client")), "user:7"),
        (
            Selection(users=("7",), items=("m",), since=3), None,
            Scope(Kind.USER, conditions=("person", "items", "dates")), "user:7",
        ),
        (Selection(rows=("7\tm\t3", "7\tn\t4")), None, Scope(Kind.USER, conditions=("person", "rows")), "user:7"),
        (Selection(everything=True), "c1", Scope(Kind.CLIENT, "c1", conditions=("client",)), "client:c1"),
        (
            Selection(items=("n", "m", "n")), None, Scope(Kind.ITEM, None, ("m", "n"), conditions=("items",)),
            'item:[["m","n"],null,null]',
        ),
        (
            Selection(since=3, until=9), "c1", Scope(Kind.DATES, "c1", (), 3, 9, ("dates", "client")),
            "dates:[[],3,9]",
        ),
    ],
)  # fmt: skip
def test_kinds(selection: Selection, client: str | None, scope: Scope, subject: str) -> None:
    assert scope_of(selection, client) == scope
    assert subject_of(selection, client) == subject


def test_a_request_is_of_one_person_and_of_something() -> None:
    for several in (Selection(users=("7", "8")), Selection(rows=("7\tm\t3", "8\tm\t3"))):
        with pytest.raises(UsageError, match="2 users: submit one for each"):
            scope_of(several, None)
    for client in (None, "c1"):
        with pytest.raises(UsageError, match="nothing is named"):
            scope_of(Selection(), client)
    with pytest.raises(UsageError, match="everything at every client"):
        scope_of(Selection(everything=True), None)


@given(st.lists(names, min_size=1), st.randoms())
def test_the_order_of_naming_says_nothing(items: list[str], chance: object) -> None:
    other = [*items, items[0]]
    chance.shuffle(other)  # type: ignore[attr-defined]
    one, two = Selection(items=tuple(items)), Selection(items=tuple(other))
    assert canonical(described(one, None)) == canonical(described(two, None))
    assert subject_of(one, None) == subject_of(two, None)


@given(names, names)
def test_what_is_asked_is_told_apart(user: str, client: str) -> None:
    asked = [
        *((Selection(users=(user,)), at) for at in (None, client, client + "x")),
        (Selection(users=(user + "x",)), None),
        (Selection(users=(user,), since=0), None),
    ]
    assert len({canonical(described(*each)) for each in asked}) == len(asked)
    assert described(Selection(users=(user, user)), client) == described(Selection(users=(user,)), client)
