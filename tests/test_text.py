"""Marks and wide encodings are no part of a text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.text import read_text, utf8

TEXTS = st.text(st.characters(exclude_characters="\0\ufeff", exclude_categories=["Cs"]), min_size=1)


@given(TEXTS, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le-mark", "utf-16-be-mark"]))
def test_every_unicode_encoding_gives_the_same_text(text: str, encoding: str) -> None:
    name = encoding.removesuffix("-mark")
    marked = ("\ufeff" if encoding.endswith("-mark") else "") + text
    assert utf8(marked.encode(name)).decode() == text


@given(st.text(st.characters(max_codepoint=0x7F, exclude_characters="\0"), min_size=1))
def test_western_utf16_needs_no_mark(text: str) -> None:
    assert utf8(text.encode("utf-16-le")).decode() == text
    assert utf8(text.encode("utf-16-be")).decode() == text


def test_another_encoding_is_said(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("Café".encode("latin-1"))
    with pytest.raises(UnicodeDecodeError):
        read_text(tmp_path / "a")
