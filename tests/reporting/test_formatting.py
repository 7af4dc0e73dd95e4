"""Numbers and names read back as they were, and names cannot harm a line."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.reporting import formatting

UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}


def test_numbers_that_differ_look_different_with_as_few_digits_as_that_takes():
    assert formatting.apart([0.5, 0.25, 0.25]) == ["0.500", "0.250", "0.250"]
    assert formatting.apart([0.70012, 0.7001, 0.1]) == ["0.70012", "0.70010", "0.10000"]
    assert formatting.apart([0.7, 0.7 + 1e-15]) == ["0.700000000"] * 2
    assert formatting.apart([]) == []


@given(st.integers(0, 10**15))
def test_a_size_reads_back_to_half_a_percent(count):
    value, unit = formatting.size(count).split()
    assert float(value) * UNITS[unit] == pytest.approx(count, rel=6e-3)
    assert float(value) < 1000 or unit == "TB"


@given(st.floats(0, 1e6))
def test_a_duration_reads_back(seconds):
    words = formatting.duration(seconds).split()
    factor = {"s": 1, "min": 60, "h": 3600}
    read = sum(float(value) * factor[unit] for value, unit in zip(words[::2], words[1::2], strict=True))
    assert read == pytest.approx(seconds, abs=60 if "h" in words else 0.51)


@given(st.text(), st.integers(2, 80))
def test_a_clean_name_is_one_short_visible_line(text, width):
    name = formatting.clean(text, width)
    assert 1 <= len(name) <= width
    assert not any(unicodedata.category(letter)[0] in "CZ" and letter != " " for letter in name)
    assert formatting.clean(name, width) == name


@given(st.lists(st.text("ab#1 \n\u202e", max_size=4), max_size=6))
def test_labels_never_coincide(names):
    assert len(set(formatting.labels(names, 3))) == len(names)
