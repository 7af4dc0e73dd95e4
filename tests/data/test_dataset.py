"""Tables: rows come into one order, whatever their numbers; a catalogue knows its items' places."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fedrec.data.dataset import Catalogue, _order

NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2)


@given(st.data(), st.integers(1, 4), st.integers(0, 12))
def test_the_order_is_that_of_the_keys_one_after_another(data: st.DataObject, keys: int, rows: int) -> None:
    kinds = [data.draw(st.sampled_from([np.int8, np.int32, np.int64])) for _ in range(keys)]
    columns = [
        data.draw(arrays(kind, rows, elements=NUMBERS.filter(lambda n, kind=kind: _fits(n, kind)))) for kind in kinds
    ]
    np.testing.assert_array_equal(_order(*columns), np.lexsort(columns[::-1]))


def _fits(number: int, kind: type[np.signedinteger]) -> bool:
    return bool(np.iinfo(kind).min <= number <= np.iinfo(kind).max)


def test_a_catalogue_knows_the_place_of_each_item_and_is_written_without_it() -> None:
    catalogue = Catalogue(("b", "a"), ("Two", "One"))
    assert dict(catalogue.place) == {"b": 0, "a": 1}
    assert Catalogue(**catalogue.content()) == catalogue
