"""Replies: a good one passes, each kind of bad one is named in one line, and nothing else ever comes out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.bad_replies import BAD_REPLIES, Arrays, ClientCrash, Metrics
from fedrec.protocol.adapters import State
from fedrec.protocol.answers import TrainAnswer
from fedrec.protocol.record import BadMessage, Content
from fedrec.protocol.wire import pack, unpack
from server.replies import Limits, check, check_together, same_reason
from server.rounds import Dropped

TEMPLATE: State = {"q.A": np.zeros((2, 3), np.float32), "q.B": np.zeros((4, 2), np.float32)}
SIZE = sum(array.nbytes for array in TEMPLATE.values())
LIMITS = Limits(max_abs=100, max_bytes=4 * SIZE)
ANNOUNCED = (10, 0)


def good() -> tuple[Arrays, Metrics]:
    arrays: Arrays = {
        f"shard/{shard}/{key}": np.full(value.shape, shard + 1, np.float32)
        for shard in range(2)
        for key, value in TEMPLATE.items()
    }
    metrics = {"client": "c-1", "round": 3, "loss": [0.7, 0.0], "examples": [10, 0]}
    return arrays, metrics


def decode(arrays: Arrays, metrics: Metrics) -> TrainAnswer:
    return TrainAnswer.of(Content({"record": "TrainAnswer", "version": 1, **metrics}, arrays))


def judge(arrays: Arrays, metrics: Metrics, limits: Limits = LIMITS) -> TrainAnswer:
    reply = decode(arrays, metrics)
    check(reply, client="c-1", round=3, expected=TEMPLATE, announced=ANNOUNCED, limits=limits)
    return reply


def test_a_good_reply_passes_and_says_what_was_sent() -> None:
    reply = judge(*good())
    assert (reply.client, reply.round, reply.loss, reply.examples) == ("c-1", 3, (0.7, 0.0), (10, 0))
    assert [state["q.B"][0, 0] for state in reply.adapters] == [1, 2]


def test_other_metrics_are_left_alone() -> None:
    arrays, metrics = good()
    judge(arrays, {**metrics, "seconds": 1.5, "auc": [0.5, 0.6]})


REASONS = {
    "nan": "tensor shard/0/q.A is not finite",
    "infinity": "tensor shard/0/q.A is not finite",
    "huge finite value": "tensor shard/0/q.A holds 3e+38, beyond 100",
    "wrong shape": "tensor shard/0/q.A has shape (6,), not (2, 3)",
    "transposed": "tensor shard/0/q.A has shape (3, 2), not (2, 3)",
    "wrong dtype": "tensor shard/0/q.A is <f8, not float32",
    "missing key": "tensor shard/0/q.A is missing",
    "extra key": "tensor 'shard/0/intruder.A' is unknown",
    "extra shard": "it has 3 shards, not 2",
    "wrong round": "it answers round 4, not 3",
    "other client's name": "it says it is 'c-10', but 'c-1' was asked",
    "empty": "it has no tensors",
    "absurd loss": "loss 1e+30 of shard 0 is not within 0 and 100",
    "negative loss": "loss -1 of shard 0 is not within 0 and 100",
    "loss not a number": "loss/0 nan is not a finite number",
    "negative examples": "examples -1 of shard 0 are not within 0 and the 10 announced",
    "too many examples": f"examples {2**62} of shard 0 are not within 0 and the 10 announced",
    "fractional examples": "examples/0 10.5 is not an integer",
    "truncated bytes": "tensor shard/0/q.A is |u1, not float32",
}


@pytest.mark.parametrize("kind", sorted(BAD_REPLIES.keys() - {"error reply"}))
def test_each_bad_reply_is_named(kind: str) -> None:
    arrays, metrics = good()
    with pytest.raises(BadMessage) as caught:
        judge(*BAD_REPLIES[kind](arrays, metrics))
    assert str(caught.value) == REASONS[kind]
    judge(arrays, metrics)  # the corruption left the original alone


def test_a_crash_has_no_reply_to_judge() -> None:
    with pytest.raises(ClientCrash):
        BAD_REPLIES["error reply"](*good())


def test_too_many_bytes() -> None:
    with pytest.raises(BadMessage, match=f"{2 * SIZE} bytes, more than {SIZE}"):
        judge(*good(), Limits(max_abs=100, max_bytes=SIZE))


@pytest.mark.parametrize(
    "key", ["q.A", "shard/-1/q.A", "shard/01/q.A", "shard/0/q.C", "shard/٣/q.A", "shard/0/.A\n", "shard/9999999/q.A", 7]
)
def test_a_malformed_key_is_refused(key: Any) -> None:
    arrays, metrics = good()
    with pytest.raises(BadMessage, match="is not shard/<number>/<layer>"):
        decode({**arrays, key: np.zeros(1, np.float32)}, metrics)


def test_a_gap_in_the_shards_is_refused() -> None:
    arrays, metrics = good()
    far = {key.replace("shard/1/", "shard/5/"): array for key, array in arrays.items()}
    with pytest.raises(BadMessage, match="shard 1 is missing, though shard 5 is there"):
        decode(far, metrics)


@pytest.mark.parametrize("key", ["client", "round"])
def test_a_missing_metric_is_named(key: str) -> None:
    arrays, metrics = good()
    with pytest.raises(BadMessage, match=f"^{key} None is not"):
        decode(arrays, {**metrics, key: None})


INTEGERS = st.integers() | st.sampled_from([10**6000, -(10**6000)])
VALUES = st.none() | st.booleans() | INTEGERS | st.floats() | st.text() | st.binary() | st.lists(INTEGERS)
DTYPES = st.sampled_from(["f4", "f8", ">f4", "f2", "i8", "c8", "O", "U3", "?", [("x", "f4")]])
ARRAYS = st.builds(np.zeros, st.sampled_from([(), (0,), (2, 3), (4, 2), (1, 1, 1)]), DTYPES)
KEYS = st.sampled_from([*good()[0], *good()[1], "shard/2/q.A", "shard/x/q.A"]) | st.text() | st.integers()


@given(st.dictionaries(KEYS, ARRAYS | VALUES, max_size=4), st.dictionaries(KEYS, VALUES, max_size=6), st.booleans())
def test_whatever_comes_in_only_a_one_line_bad_reply_comes_out(
    arrays: dict[Any, Any], metrics: dict[Any, Any], on_top: bool
) -> None:
    if on_top:
        arrays, metrics = {**good()[0], **arrays}, {**good()[1], **metrics}
    try:
        reply = judge(arrays, metrics)
    except BadMessage as error:
        assert len(str(error).splitlines()) == 1
        assert len(str(error)) < 200
    else:
        assert all(array.dtype == np.float32 for state in reply.adapters for array in state.values())
        assert reply.client == "c-1" and reply.round == 3 and len(reply.adapters) == 2


@pytest.mark.parametrize("key", ["loss", "examples"])
@pytest.mark.parametrize("count", [1, 3])
def test_more_or_fewer_metrics_than_shards_are_refused(key: str, count: int) -> None:
    arrays, metrics = good()
    with pytest.raises(BadMessage, match=f"^it has {count} {key} for 2 shards"):
        decode(arrays, {**metrics, key: (metrics[key] * 2)[:count]})


def test_an_update_out_of_proportion_is_named() -> None:
    bad = check_together({"a": 1.0, "b": 1.2, "c": 0.9, "d": 50.0, "e": 0.0}, 20)
    assert bad == {"d": "its update is 45.5 times as long as the median, more than 20"}


@given(st.dictionaries(st.text(max_size=3), st.floats(0.5, 2), max_size=8), st.floats(4, 100))
def test_updates_in_proportion_pass(updates: dict[str, float], ratio: float) -> None:
    assert check_together(updates, ratio) == {}


@given(st.floats(1e-6, 1e6), st.integers(0, 9))
def test_clients_without_rows_do_not_move_the_median(length: float, empty: int) -> None:
    updates = {f"empty-{i}": 0.0 for i in range(empty)} | dict.fromkeys("abc", length)
    assert check_together(updates, 2) == {}
    assert check_together(updates | {"far": 3 * length}, 2).keys() == {"far"}


def test_two_updates_have_no_median_to_speak_of() -> None:
    assert check_together({"a": 1.0, "b": 1e6, "c": 0.0}, 20) == {}


@given(st.lists(st.sampled_from(["full disk", "c-1 is gone", "late"]), max_size=4), st.integers(0, 4))
def test_one_reason_for_all_is_found_and_nothing_else(reasons: list[str], asked: int) -> None:
    dropped = [Dropped(f"c-{k}", reason.replace("c-1", f"c-{k}")) for k, reason in enumerate(reasons)]
    found = same_reason(dropped, [f"c-{k}" for k in range(asked)])
    one = 0 < asked <= len(reasons) and len(set(reasons[:asked])) == 1
    assert (found is not None) == one


NO_ROWS = {"items.A": np.zeros((0, 2), np.float32), "items.rows": np.zeros(0, np.int32)}
WITH_ITEMS: State = {**TEMPLATE, **NO_ROWS, "items.B": np.ones((2, 3), np.float32)}


def good_with_items() -> tuple[Arrays, Metrics]:
    arrays, metrics = good()
    for shard in range(2):
        arrays[f"shard/{shard}/items.A"] = np.ones((2, 2), np.float32)
        arrays[f"shard/{shard}/items.rows"] = np.array([1, 4], np.int32)
        arrays[f"shard/{shard}/items.B"] = np.ones((2, 3), np.float32)
    return arrays, metrics


def judge_with_items(arrays: Arrays, metrics: Metrics) -> TrainAnswer:
    """As a reply is read that came as bytes."""
    sent = pack(Content({"record": "TrainAnswer", "version": 1, **metrics}, arrays))
    reply = TrainAnswer.of(unpack(sent))
    limits = replace(LIMITS, items=5)
    return check(reply, client="c-1", round=3, expected=WITH_ITEMS, announced=ANNOUNCED, limits=limits)


def test_item_rows_that_are_none_are_named() -> None:
    arrays, metrics = good_with_items()
    assert judge_with_items(arrays, metrics).adapters[1]["items.rows"].tolist() == [1, 4]
    arrays["shard/1/items.rows"] = np.array([1, 5], np.int32)
    with pytest.raises(BadMessage, match=r"shard 1: tensor items\.rows does not name items of 5"):
        judge_with_items(arrays, metrics)


def test_more_answers_than_were_announced_are_named() -> None:
    """Who says that they know a title from a million answers would have everybody's row be theirs."""
    arrays, metrics = good_with_items()
    arrays["shard/0/items.answers"] = np.array([4, 6], np.int32)
    assert judge_with_items(arrays, metrics)
    arrays["shard/0/items.answers"] = np.array([4, 2**31 - 1], np.int32)
    with pytest.raises(BadMessage, match="its item rows are of 2147483651 answers in shard 0, more than its 10 exam"):
        judge_with_items(arrays, metrics)


def test_more_answers_than_it_was_trained_on_are_named() -> None:
    """Without examples a reply has no weight, and its item rows have none either."""
    arrays, metrics = good_with_items()
    arrays["shard/0/items.answers"] = np.array([4, 6], np.int32)
    with pytest.raises(BadMessage, match="are of 10 answers in shard 0, more than its 0 examples"):
        judge_with_items(arrays, {**metrics, "examples": [0, 0]})


@pytest.mark.parametrize("asked", [True, False])
def test_answers_of_item_rows_are_told_where_rows_are_averaged_by_them_and_nowhere_else(asked: bool) -> None:
    """One client that tells of some, or of none, would change for everybody how rows are averaged."""
    arrays, metrics = good_with_items()
    if not asked:
        arrays["shard/0/items.answers"] = np.array([4, 6], np.int32)
    limits = replace(LIMITS, items=5, counts=asked)
    with pytest.raises(BadMessage, match="says nothing of" if asked else "was not asked for"):
        check(decode(arrays, metrics), client="c-1", round=3, expected=WITH_ITEMS, announced=ANNOUNCED, limits=limits)


def test_answers_without_item_rows_are_named() -> None:
    arrays, metrics = good_with_items()
    arrays["shard/0/items.answers"] = np.array([4, 6], np.int32)
    del arrays["shard/0/items.A"], arrays["shard/0/items.rows"]
    with pytest.raises(BadMessage, match=r"items\.rows is missing"):
        judge_with_items(arrays, metrics)


def test_another_frame_of_item_rows_is_named() -> None:
    """Rows of all clients are numbers of one frame: who bends it would turn everybody's rows."""
    arrays, metrics = good_with_items()
    arrays["shard/0/items.B"] = np.array([[1, 1, 1], [1, -1, 1]], np.float32)
    with pytest.raises(BadMessage, match=r"shard/0/items\.B is not the public frame"):
        judge_with_items(arrays, metrics)


HUGE = st.lists(st.sampled_from([0, 1, 2, 3, 5, 10**4, 10**12, 2**60]), max_size=3)
ANY_SHAPE = HUGE.filter(lambda shape: 0 in shape or np.prod([*map(float, shape)]) < 10**5)
TENSOR = st.sampled_from(sorted(good_with_items()[0]))


@given(st.dictionaries(TENSOR, st.tuples(ANY_SHAPE, st.sampled_from(["f4", "i4", "f8"])), min_size=1, max_size=4))
def test_whatever_shapes_come_in_a_reply_has_those_of_the_run_or_is_a_bad_one(
    changed: dict[str, tuple[list[int], str]],
) -> None:
    """Arrays of nothing have any width, and weigh nothing."""
    arrays, metrics = good_with_items()
    for key, (shape, dtype) in changed.items():
        try:
            arrays[key] = np.zeros(shape, dtype)
        except ValueError:  # too wide for numpy, and so for whoever reads it
            continue
    try:
        reply = judge_with_items(arrays, metrics)
    except BadMessage as error:
        assert len(str(error).splitlines()) == 1
    else:
        for state in reply.adapters:
            rows = len(state["items.rows"])
            expected = {**WITH_ITEMS, "items.A": np.zeros((rows, 2)), "items.rows": np.zeros(rows)}
            assert {key: array.shape for key, array in state.items()} == {k: a.shape for k, a in expected.items()}
