"""What is deleted in several requests, one after another."""

from __future__ import annotations

import pytest

from fedrec.data.selection import Selection
from fedrec.errors import UsageError
from unlearning.central.model import Deletion, TrainingCost
from unlearning.comparison.compare import in_all, in_requests


def test_every_request_names_some_and_all_name_each_once() -> None:
    users = tuple("abcdefg")
    parts = in_requests(Selection(users=users), 3)
    assert [len(part.users) for part in parts] == [3, 2, 2] and sum((part.users for part in parts), ()) == users
    assert in_requests(Selection(rows=("x", "y")), 2) == (Selection(rows=("x",)), Selection(rows=("y",)))
    assert in_requests(Selection(users=users), 1) == (Selection(users=users),)
    with pytest.raises(UsageError, match="only 7 to forget"):
        in_requests(Selection(users=users), 8)


def test_their_costs_are_added() -> None:
    one = Deletion(3, (0,), TrainingCost((0,), 30, 4, 2.0, 0.5), 0.1, 2.5)
    other = Deletion(2, (1,), TrainingCost((1,), 10, 1, 1.0), 0.2, 1.5)
    assert in_all([one, other]) == Deletion(5, (0, 1), TrainingCost((0, 1), 40, 5, 3.0, 0.5), 0.2, 4.0)
