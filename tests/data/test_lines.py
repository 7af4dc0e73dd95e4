"""Lines of delimited text: the separator is found, broken quotes are, and every line is a row or told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.data.readers.lines import Style, broken_quotes, found_style
from tests.data.files import load, text

LINE = st.text(st.sampled_from('",ab \u00e9'), max_size=14)


@settings(max_examples=300)
@given(st.lists(LINE, min_size=1, max_size=12))
def test_lines_with_broken_quotes_are_those_found_one_by_one(lines: list[str]) -> None:
    style = Style.usual(",")
    found = broken_quotes("\n".join(lines).encode(), style)
    assert found.tolist() == [i for i, line in enumerate(lines) if style.fields(line) is None]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_line_of_a_file_is_a_row_or_a_skipped_one(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever quotes, separators and line ends people put into a file: rows + skipped + header = lines."""
    good = [f"u{i % 4},i{i},{i % 5},T{i}" for i in range(12)]
    odd = data.draw(st.lists(st.text(st.sampled_from('u1i,"T\r\n \u2028'), min_size=1, max_size=20), max_size=4))
    lines = list(good)
    for line in odd:
        lines.insert(data.draw(st.integers(0, len(lines))), line)
    content = "user,item,rating,title\n" + "\n".join(lines) + "\nu1,i1,4,T1\n"
    path = text(tmp_path_factory.mktemp("odd") / "a.csv", content)
    read = load(path, skip_bad_rows=True)
    total = content.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").count("\n") + 1
    assert len(read.interactions) + read.skipped + 1 == total
    assert len(read.interactions) >= 13
    assert all(len(title) <= 20 for title in read.catalogue.titles)


@given(st.sampled_from([",", "\t", ";", "|", "::"]), st.integers(2, 6), st.integers(1, 9))
def test_the_separator_of_a_regular_table_is_found(separator: str, columns: int, rows: int) -> None:
    table = "\n".join(separator.join(f"c{i} x" for i in range(columns)) for _ in range(rows))
    assert found_style(table.encode(), ",").separator == separator
