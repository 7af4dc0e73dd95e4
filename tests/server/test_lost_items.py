"""Rows of items that nobody is left to have taught go from all adapters, and no others."""

from __future__ import annotations

import numpy as np

from fedrec.protocol.adapters import ITEMS_A, ITEMS_B, KNOWN, ROWS, State
from fedrec.protocol.answers import TrainAnswer
from fedrec.protocol.item_precision import with_known
from fedrec.protocol.item_rows import with_answers
from server.lost_items import lost_items, without_items


def adapter(*items: int) -> State:
    rows = np.ones((len(items), 2), np.float32)
    return {ITEMS_A: rows, ROWS: np.array(items, np.int32), ITEMS_B: np.eye(2, dtype=np.float32)}


def reply(client: str, state: State, **answers: int) -> TrainAnswer:
    items = np.array([int(name[1:]) for name in answers], np.int32)
    told = with_answers(state, (items, np.array(list(answers.values()), np.int32)))
    return TrainAnswer(client=client, round=1, loss=(0.1,), examples=(3,), adapters=[told])


def test_what_a_client_let_go_and_nobody_answered_is_lost() -> None:
    before = {name: [adapter(1, 3, 5, 7)] for name in "ab"}
    replies = [reply("a", adapter(1, 7), i1=2), reply("b", adapter(1, 3, 5, 7), i3=1, i1=1)]
    (lost,) = lost_items(before, replies)
    assert lost.tolist() == [5]  # 3 is b's, and 7 nobody let go


def test_rows_go_with_how_much_was_known_of_them() -> None:
    known = (np.array([1, 5, 7], np.int32), np.array([0.5, 0.6, 0.7], np.float32))
    left = without_items(with_known(adapter(1, 5, 7), known), np.array([5], np.int32))
    assert left[ROWS].tolist() == [1, 7] and left[ITEMS_A].shape == (2, 2)
    assert np.allclose(left[KNOWN], [0.5, 0.7])
    bare = adapter(1, 5)
    assert without_items(bare, np.zeros(0, np.int32)) is bare


def test_where_nobody_tells_what_rows_are_of_none_is_lost() -> None:
    state = adapter(1)
    answer = TrainAnswer(client="a", round=1, loss=(0.1,), examples=(3,), adapters=[state])
    assert lost_items({"a": [adapter(1, 3)]}, [answer])[0].tolist() == []
