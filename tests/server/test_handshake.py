"""What clients say of themselves, held against what the preparation found."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from fedrec.errors import FedrecError
from server.calls import Clients
from server.handshake import check_announced
from server.reference import ClientFacts


def saying(**announced: list[int]) -> Clients:
    reference = SimpleNamespace(clients=[ClientFacts("a", 2, 9), ClientFacts("b", 2, 4)])
    return Clients(cast(Any, None), cast(Any, SimpleNamespace(reference=reference)), {}, announced)


def test_nobody_begins_with_more_rows_than_at_the_preparation() -> None:
    check_announced(saying(a=[4, 5], b=[0, 3]))
    check_announced(saying(central=[6, 7]))
    with pytest.raises(FedrecError, match="client b announces 5 train rows, and was prepared with 4"):
        check_announced(saying(a=[4, 5], b=[5, 0]))
    with pytest.raises(FedrecError, match="client central announces 14 train rows, and was prepared with 13"):
        check_announced(saying(central=[7, 7]))
