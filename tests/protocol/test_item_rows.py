"""Item rows on the wire: the same again, as many bytes as rows that moved, and nothing else is let in."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from fedrec.protocol.adapters import from_arrays, size_of
from fedrec.protocol.item_rows import ROWS, sparse, to_wire, whole

ITEMS, RANK = 9, 2
SHAPE = (ITEMS, RANK)


def state(moved: list[int], items: int = ITEMS) -> dict[str, np.ndarray]:
    a = np.zeros((items, RANK), np.float32)
    a[moved] = 0.5
    return {"items.A": a, "items.B": np.ones((RANK, 3), np.float32), "l.A": np.ones((1, 3), np.float32)}


@given(st.sets(st.integers(0, ITEMS - 1)))
def test_what_travels_is_whole_again(moved: set[int]) -> None:
    one = state(sorted(moved))
    arrays = to_wire([one, state([])])
    assert arrays[f"shard/0/{ROWS}"].tolist() == sorted(moved)
    for sent, again in zip((one, state([])), from_arrays(arrays), strict=True):
        again = whole(again, SHAPE)
        assert again.keys() == sent.keys()
        assert all(np.array_equal(again[key], sent[key]) for key in sent)


def test_bytes_are_those_of_rows_that_moved() -> None:
    few, many = (size_of(to_wire([state([3, 70, 500], items)])) for items in (1000, 100_000))
    assert few == many
    assert size_of(to_wire([state([3], 1000)])) + 2 * (4 + 4 * RANK) == few


def test_without_item_rows_nothing_changes() -> None:
    plain = {"l.A": np.ones((1, 3), np.float32)}
    assert sparse(plain) is plain and whole(plain, (0, 0)) == plain


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({ROWS: np.array([3, 3], np.int32)}, "each once and in order"),
        ({ROWS: np.array([4, 3], np.int32)}, "each once and in order"),
        ({ROWS: np.array([-1, 3], np.int32)}, "each once and in order"),
        ({ROWS: np.array([3, ITEMS], np.int32)}, f"items of {ITEMS}"),
        ({ROWS: np.array([-(2**31), 2**31 - 1], np.int32)}, "each once and in order"),
        ({ROWS: np.array([3], np.int32)}, "does not have as many rows"),
        ({ROWS: np.array([3.0, 4.0])}, "not a list of int32"),
        ({ROWS: np.array([[3, 4]], np.int32)}, "not a list of int32"),
        ({"items.A": np.ones(2, np.float32)}, "does not have as many rows"),
        ({"items.A": np.ones((2, RANK + 1), np.float32)}, r"<f4 \(2, 3\), not float32 \(2, 2\)"),
        ({"items.A": np.ones((2, RANK))}, r"<f8 \(2, 2\), not float32 \(2, 2\)"),
        ({ROWS: np.zeros(0, np.int32), "items.A": np.zeros((0, 10**12), np.float32)}, r"\(0, 1000000000000\), not"),
        ({"items.A": None}, "does not have as many rows"),
    ],
)
def test_other_rows_are_refused(change: dict[str, np.ndarray], told: str) -> None:
    sent = {key: array for key, array in ({**sparse(state([3, 4])), **change}).items() if array is not None}
    with pytest.raises(ValueError, match=told):
        whole(sent, SHAPE)


DIMENSIONS = st.lists(st.sampled_from([0, 1, 2, 3, ITEMS, 10**4, 10**12, 2**40]), max_size=3)
SHAPES = DIMENSIONS.filter(  # numpy itself makes no array, not even an empty one, above 2^63 bytes
    lambda shape: np.prod([max(float(size), 1.0) for size in shape]) < (10**17 if 0 in shape else 10**5)
)


@given(SHAPES, SHAPES, st.sampled_from(["f4", "f8", "c16", "i4"]), st.booleans())
def test_whatever_shapes_are_sent_no_more_than_the_items_rows_is_made(
    few: list[int], found: list[int], dtype: str, rising: bool
) -> None:
    rows = np.arange(few[0], dtype=np.int32) if rising and len(few) == 1 else np.zeros(few, np.int32)
    try:
        made = whole({ROWS: rows, "items.A": np.zeros(found, dtype)}, SHAPE)
    except ValueError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert made.keys() == {"items.A"} and made["items.A"].shape == SHAPE and made["items.A"].dtype == np.float32
