"""The canonical form: RFC 8785's own examples, back and forth, one form only."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unlearning.audit.canonical import canonical, digest, parse

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LEAVES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT
LEAVES |= st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))


def shuffled(content, random):
    if isinstance(content, dict):
        items = [(key, shuffled(value, random)) for key, value in content.items()]
        random.shuffle(items)
        return dict(items)
    return [shuffled(value, random) for value in content] if isinstance(content, list) else content


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_comes_back(content):
    raw = canonical(content)
    assert parse(raw) == content
    assert canonical(parse(raw)) == raw


@settings(max_examples=40, deadline=None)
@given(JSON, st.randoms(use_true_random=False))
def test_does_not_depend_on_the_order_of_keys(content, random):
    other = shuffled(content, random)
    assert canonical(other) == canonical(content)
    assert digest(other) == digest(content)


@pytest.mark.parametrize(
    "bits, text",
    [
        # RFC 8785, appendix B
        (0x0000000000000000, "0"),
        (0x8000000000000000, "0"),
        (0x0000000000000001, "5e-324"),
        (0x8000000000000001, "-5e-324"),
        (0x7FEFFFFFFFFFFFFF, "1.7976931348623157e+308"),
        (0x4340000000000000, "9007199254740992"),
        (0x4430000000000000, "295147905179352830000"),
        (0x44B52D02C7E14AF5, "9.999999999999997e+22"),
        (0x44B52D02C7E14AF6, "1e+23"),
        (0x44B52D02C7E14AF7, "1.0000000000000001e+23"),
        (0x444B1AE4D6E2EF4E, "999999999999999700000"),
        (0x444B1AE4D6E2EF50, "1e+21"),
        (0x3EB0C6F7A0B5ED8C, "9.999999999999997e-7"),
        (0x3EB0C6F7A0B5ED8D, "0.000001"),
        (0x41B3DE4355555553, "333333333.3333332"),
        (0x41B3DE4355555557, "333333333.33333343"),
        (0xBECBF647612F3696, "-0.0000033333333333333333"),
        (0x43143FF3C1CB0959, "1424953923781206.2"),
    ],
)
def test_numbers_as_ecmascript_writes_them(bits, text):
    assert canonical(struct.unpack(">d", bits.to_bytes(8, "big"))[0]).decode() == text


def test_the_example_of_the_standard():
    content = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical(content).decode() == expected


def test_keys_are_sorted_by_utf_16_units():
    """The surrogate pair of 😀 (D83D) comes before U+FB33, though its code point is larger."""
    keys = ["€", "\r", "\ufb33", "1", "😀", "\x80", "ö"]
    assert list(parse(canonical(dict.fromkeys(keys, 0)))) == ["\r", "1", "\x80", "ö", "€", "😀", "\ufb33"]


@pytest.mark.parametrize(
    "content", [float("nan"), float("inf"), 2**53, -(2**53), "\ud800", {1: 2}, {"\ud800": 1}, b"x"]
)
def test_what_has_no_form_is_refused(content):
    with pytest.raises(ValueError):
        canonical([content])


@pytest.mark.parametrize(
    "raw", [b' {"a":1}', b'{"a":1}\n', b'{"a": 1}', b'{"b":1,"a":1}', b'{"a":1,"a":1}', b"1.0", b"1e2", b'"\\u0041"',
            b"NaN", b"", b"\xff", b"[" * 100_000]
)  # fmt: skip
def test_another_form_is_refused(raw):
    with pytest.raises(ValueError):
        parse(raw)
