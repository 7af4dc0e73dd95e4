"""Batches: every touched shard in one of them, and nobody waits for strangers."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from tests.unlearning.requests.office import NOW
from unlearning.requests.batches import into_batches, is_due
from unlearning.requests.request import Request
from unlearning.requests.scope import Kind, Scope
from unlearning.requests.states import State


def planned(*shards: int, hours: float = 0) -> Request:
    return Request(
        id=str(uuid4()), received_at=NOW + timedelta(hours=hours), recorded_at=NOW, channel="", pseudonym="",
        scope=Scope(Kind.USER), sealed=b"", ground="", requester="ada", due_at=date(2026, 3, 1), state=State.PLANNED,
        plan={"shards": shards},
    )  # fmt: skip


sets_of_shards = st.lists(st.sets(st.integers(0, 11), max_size=3), max_size=30)


@given(sets_of_shards)
def test_each_request_and_each_touched_shard_is_in_one_batch(touched: list[set[int]]) -> None:
    requests = [planned(*sorted(shards)) for shards in touched]
    batches = into_batches(requests)
    trained = [shard for batch in batches for shard in batch.shards]
    assert sorted(trained) == sorted(set().union(*touched))
    assert sorted(request.id for batch in batches for request in batch.requests) == sorted(r.id for r in requests)
    for batch in batches:
        assert set(batch.shards) == set().union(*(request.shards or () for request in batch.requests))
        assert [*batch.requests] == [request for request in requests if request in batch.requests]


@given(sets_of_shards)
def test_a_batch_holds_together(touched: list[set[int]]) -> None:
    for batch in into_batches([planned(*sorted(shards)) for shards in touched]):
        reached = set(batch.requests[0].shards or ())
        for _ in batch.requests:
            reached |= {s for r in batch.requests if reached & set(r.shards or ()) for s in r.shards or ()}
        assert reached == set(batch.shards)


def test_a_hundred_requests_train_each_touched_shard_once() -> None:
    batches = into_batches([planned(number % 7) for number in range(100)])
    assert [batch.shards for batch in batches] == [(shard,) for shard in range(7)]


def test_a_batch_waits_for_its_window_from_its_first_request() -> None:
    (batch,) = into_batches([planned(1, hours=5), planned(1, hours=2)])
    assert not is_due(batch, 4, NOW + timedelta(hours=5.9))
    assert is_due(batch, 4, NOW + timedelta(hours=6))
    assert is_due(batch, 0, NOW + timedelta(hours=5))
