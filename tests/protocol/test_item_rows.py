"""Item rows: one form and one hash for one adapter, as much as rows that moved, and nothing else is let in."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from fedrec.protocol.adapters import ANSWERS, ROWS, digest_of, from_arrays, size_of, to_arrays
from fedrec.protocol.item_rows import (
    check,
    counted,
    items_of,
    rows_of,
    union,
    with_answers,
    with_rows,
    with_some,
    without_answers,
)

ITEMS, RANK = 9, 2
EVERY = np.arange(ITEMS, dtype=np.int32)
ROW_SETS = st.sets(st.integers(0, ITEMS - 1))


def state(moved: list[int], value: float = 0.5, items: int = ITEMS) -> dict[str, np.ndarray]:
    a = np.zeros((items, RANK), np.float32)
    a[moved, 1] = value
    others = {"items.B": np.ones((RANK, 3), np.float32), "l.A": np.ones((1, 3), np.float32)}
    return with_rows(others, np.arange(items, dtype=np.int32), a)


@given(ROW_SETS, ROW_SETS)
def test_what_travels_is_the_same_again(one: set[int], other: set[int]) -> None:
    model = [state(sorted(one)), state(sorted(other))]
    for sent, again in zip(model, from_arrays(to_arrays(model)), strict=True):
        check(again, ITEMS, RANK)
        assert again.keys() == sent.keys()
        assert all(np.array_equal(again[key], sent[key]) for key in sent)


def test_bytes_are_those_of_rows_that_moved() -> None:
    few, many = (size_of(state([3, 70, 500], items=items)) for items in (1000, 100_000))
    assert few == many
    assert size_of(state([3], items=1000)) + 2 * (4 + 4 * RANK) == few


@given(ROW_SETS, ROW_SETS, st.sets(st.integers(0, ITEMS - 1), min_size=1))
def test_rows_are_those_of_the_whole(one: set[int], other: set[int], asked: set[int]) -> None:
    before, after, some = state(sorted(one)), state(sorted(other), 0.25), np.array(sorted(asked), np.int32)
    assert union([before, after]).tolist() == sorted(one | other)
    assert (rows_of(before, some) == rows_of(before, EVERY)[some]).all()
    expected = rows_of(before, EVERY)
    expected[some] = rows_of(after, some)
    mixed = with_some(before, some, rows_of(after, some))
    assert (rows_of(mixed, EVERY) == expected).all()
    assert digest_of(mixed) == digest_of(with_rows(before, EVERY, expected))


def test_each_item_has_a_hash_of_its_own() -> None:
    """Also those whose numbers fp32 cannot tell apart."""
    one = state([3])
    far = [{**one, ROWS: np.array([number], np.int32)} for number in (2**24, 2**24 + 1)]
    assert len({digest_of(each) for each in (one, *far)}) == 3


def test_without_item_rows_there_is_nothing_to_check() -> None:
    plain = {"l.A": np.ones((1, 3), np.float32)}
    check(plain, 0, 0)
    assert without_answers(plain) == (plain, None)


@given(ROW_SETS, ROW_SETS)
def test_answers_are_told_beside_the_rows_they_are_of(rows: set[int], met: set[int]) -> None:
    items = np.array(sorted(met), np.int32)
    sent = with_answers(state(sorted(rows)), (items, items + 1))
    check(sent, ITEMS, RANK)
    bare, answers = without_answers(sent)
    assert digest_of(bare) == digest_of(state(sorted(rows)))
    assert answers is not None
    assert answers[0].tolist() == sorted(rows)
    assert answers[1].tolist() == [item + 1 if item in met else 0 for item in sorted(rows)]
    assert counted(answers, EVERY).sum() == sum(item + 1 for item in rows & met)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({ROWS: np.array([3, 3], np.int32)}, "each once and in order"),
        ({ROWS: np.array([4, 3], np.int32)}, "each once and in order"),
        ({ROWS: np.array([-1, 3], np.int32)}, "each once and in order"),
        ({ROWS: np.array([3, ITEMS], np.int32)}, f"items of {ITEMS}"),
        ({ROWS: np.array([-(2**31), 2**31 - 1], np.int32)}, "each once and in order"),
        ({ROWS: np.array([3], np.int32)}, "does not have as many rows"),
        ({ANSWERS: np.array([1], np.int32)}, "no list of counts"),
        ({ANSWERS: np.array([1, -1], np.int32)}, "no list of counts"),
        ({ANSWERS: np.array([1.0, 2.0], np.float32)}, "no list of counts"),
        ({ROWS: np.array([3.0, 4.0])}, "not a list of int32"),
        ({ROWS: np.array([[3, 4]], np.int32)}, "not a list of int32"),
        ({ROWS: None}, r"items\.rows is missing"),
        ({"items.A": np.ones(2, np.float32)}, "does not have as many rows"),
        ({"items.A": np.ones((2, RANK + 1), np.float32)}, r"<f4 \(2, 3\), not float32 \(2, 2\)"),
        ({"items.A": np.ones((2, RANK))}, r"<f8 \(2, 2\), not float32 \(2, 2\)"),
        ({"items.A": np.diag([1, 0]).astype(np.float32)}, "a row of zeros"),
        ({ROWS: np.zeros(0, np.int32), "items.A": np.zeros((0, 10**12), np.float32)}, r"\(0, 1000000000000\), not"),
        ({"items.A": None}, "does not have as many rows"),
    ],
)
def test_other_rows_are_refused(change: dict[str, np.ndarray], told: str) -> None:
    sent = {key: array for key, array in ({**state([3, 4]), **change}).items() if array is not None}
    with pytest.raises(ValueError, match=told):
        check(sent, ITEMS, RANK)


DIMENSIONS = st.lists(st.sampled_from([0, 1, 2, 3, ITEMS, 10**4, 10**12, 2**40]), max_size=3)
SHAPES = DIMENSIONS.filter(  # numpy itself makes no array, not even an empty one, above 2^63 bytes
    lambda shape: np.prod([max(float(size), 1.0) for size in shape]) < (10**17 if 0 in shape else 10**5)
)


@given(SHAPES, SHAPES, st.sampled_from(["f4", "f8", "c16", "i4"]), st.booleans())
def test_whatever_shapes_are_sent_they_are_rows_of_items_or_refused(
    few: list[int], found: list[int], dtype: str, rising: bool
) -> None:
    rows = np.arange(few[0], dtype=np.int32) if rising and len(few) == 1 else np.zeros(few, np.int32)
    sent = {ROWS: rows, "items.A": np.ones(found, dtype)}
    try:
        check(sent, ITEMS, RANK)
    except ValueError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert len(items_of(sent)) <= ITEMS
        assert sent["items.A"].shape == (len(rows), RANK) and sent["items.A"].dtype == np.float32
