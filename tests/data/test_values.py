"""Values as people hand them in: times of every unit, dates, decimal commas, ids of JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.errors import DataError
from tests.data.files import load, text

DAY = int(datetime(2020, 2, 3, tzinfo=UTC).timestamp())
TIMES = {
    "s": str(DAY), "ms": str(DAY * 1000), "us": str(DAY * 10**6), "ns": str(DAY * 10**9), "yyyymmdd": "20200203",
    "year": "2020",
}  # fmt: skip


@pytest.mark.parametrize("unit", TIMES)
@pytest.mark.parametrize("named", ["auto", "as it is"])
def test_times_of_every_unit_are_the_same_day(unit: str, named: str, tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", f"user,item,label,title,time\nu,1,1,T,{TIMES[unit]}\nu,2,0,S,{TIMES[unit]}\n")
    data = load(path, time_unit="auto" if named == "auto" else unit)
    expected = DAY if unit != "year" else int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())
    assert data.interactions.time.tolist() == [expected, expected]
    assert data.warnings == ()
    assert (unit == "s") != any(note.startswith("the times are ") for note in data.notes)


def test_a_day_that_is_none_is_a_bad_row(tmp_path: Path) -> None:
    rows = "".join(f"u,{i},1,T,202002{i:02}\n" for i in range(1, 29))
    path = text(tmp_path / "a.csv", "user,item,label,title,time\n" + rows + "u,30,1,T,20200230\n")
    with pytest.raises(DataError, match=r"line 30: time '20200230' is not days written as YYYYMMDD"):
        load(path)


def test_decimal_commas_are_points(tmp_path: Path) -> None:
    rows = "".join(f"u;{i};{value};T\n" for i, value in enumerate(["0,5", "3,25", "4", "5,0", ",5"]))
    data = load(text(tmp_path / "a.csv", "user;item;rating;title\n" + rows))
    assert "a rating above 2.75 is a like (the midpoint of the ratings 0.5 to 5)" in data.notes
    with pytest.raises(DataError, match="line 2: rating '1,234' is not a number"):
        load(text(tmp_path / "a.csv", "user;item;rating;title\nu;i;1,234;T\nu;j;2;T\n"))


def test_implicit_feedback_is_called_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="without either this is implicit feedback, which is not read"):
        load(text(tmp_path / "a.csv", "user,item,timestamp,title\nu,i,1500000000,T\n"))


def test_a_nested_id_has_a_name_with_a_dot_and_a_list_is_none(tmp_path: Path) -> None:
    nested = [{"user": {"n": n, "id": f"u{n}"}, "item": "1", "label": 1, "title": "T"} for n in range(3)]
    path = text(tmp_path / "a.jsonl", "\n".join(map(json.dumps, nested)))
    with pytest.raises(DataError, match=r"no user column among 'user.n', 'user.id', 'item'"):
        load(path)
    assert load(path, columns={"user": "user.id"}).interactions.user_ids == ("u0", "u1", "u2")
    listed = [{**row, "user": [row["user"]]} for row in nested]
    with pytest.raises(DataError, match=r"line 1: user is .* not one text or number"):
        load(text(path, "\n".join(map(json.dumps, listed))))


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("18.02.2021", "1.3.2021 9:30", "the day"),
        ("02.03.2021", "03.03.2021", "the day"),
        ("02/03/2021", "18/02/2021 21:53:01", "the day"),
        ("2/18/2021", "3/1/2021", "the month"),
    ],
)
def test_dates_that_tell_what_comes_first_are_read(first: str, second: str, told: str, tmp_path: Path) -> None:
    rows = f"user,item,label,title,time\nu,1,up,T,{first}\nu,2,down,S,{second}\n"
    data = load(text(tmp_path / "a.csv", rows))
    assert f"the times are dates, {told} first" in data.notes
    days = [f"{pd.to_datetime(second_, unit='s'):%m-%d}" for second_ in data.interactions.time]
    assert set(days) <= {"02-18", "03-01", "03-02", "03-03"} and len(days) == 2


def test_one_number_is_one_id(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    spellings = ("1", "1.0", '"1"', "1e0", '" 1"')
    lines = [f'{{"user": {spelt}, "item": "i", "label": 1, "title": "T"}}' for spelt in spellings]
    assert load(text(path, "\n".join(lines))).interactions.user_ids == ("1",)
    frame = pd.DataFrame({"user": [1.0, 2.0], "item": ["i", "i"], "label": [1, 0], "title": ["T", "T"]})
    frame.to_parquet(tmp_path / "a.parquet")
    assert load(tmp_path / "a.parquet").interactions.user_ids == ("1", "2")


def test_a_key_may_be_missing_for_long(tmp_path: Path) -> None:
    rows = [{"user": i % 9, "item": "i", "label": i % 2, "title": "T"} for i in range(3000)]
    times = [row | ({"time": 1_500_000_000} if i > 2990 else {}) for i, row in enumerate(rows)]
    path = text(tmp_path / "a.jsonl", "\n".join(map(json.dumps, times)))
    with pytest.raises(DataError, match="line 1: time '' is not Unix seconds"):
        load(path)


VALUES = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none(),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Mn"]), max_size=5),
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(VALUES, min_size=1, max_size=6), st.booleans())
def test_json_values_are_spelt_alike_parsed_at_once_or_one_by_one(values: list[object], broken: bool) -> None:
    """A bad line makes the whole file be taken apart line by line; the other lines' values must not change by it."""
    from fedrec.data.readers.content import Content
    from fedrec.data.readers.jsonlines import JsonLines

    def taken(extra: str) -> list[str]:
        lines = [json.dumps({"user": value, "label": 1}) for value in values] + ([extra] if extra else [])
        sheet = JsonLines.open(Content(Path("a.jsonl"), "\n".join(lines).encode()), None)
        column = sheet.take({"user": sheet.names.index("user")}).columns["user"]
        return [column[row] for row in range(len(values))]

    assert taken("") == taken("[]" if broken else '{"user": []}')


ROLES = {"user": "who", "item": "what", "label": "like", "title": "what"}


def rows_with(tmp_path: Path, **extra: list[object]) -> Path:
    """Six rows of two people and three items, with more columns."""
    frame = pd.DataFrame({"who": list("aaabbb"), "what": ["red", "old", "new"] * 2, "like": [0, 1] * 3} | extra)
    frame.to_csv(tmp_path / "a.csv", index=False)
    return tmp_path / "a.csv"


@pytest.mark.parametrize(
    "values",
    [
        [f"2021-03-{day:02}T10:00:00Z" for day in range(1, 7)],
        [f"{day}.3.2021 08:15" for day in range(1, 7)],
        [DAY + 1000 * k for k in range(6)],
        [(DAY + 1000 * k) * 1000 for k in range(6)],
        [f"2021030{day}" for day in range(1, 7)],
    ],
)
def test_times_are_known_by_their_values_whatever_their_column_is_called(values: list[object], tmp_path: Path) -> None:
    path = rows_with(tmp_path, Moment=values, device=["tv"] * 6, stars=[3, 4, 5, 1, 2, 3])
    data = load(path, columns=ROLES)
    assert len(np.unique(data.interactions.time)) == 6 and data.interactions.time.min() > DAY - 1
    assert any(note.startswith("column 'Moment' is read as times by its values") for note in data.notes)
    assert data.warnings == ()
    without = load(path, columns={**ROLES, "time": None})
    assert without.interactions.time.max() == 5 and any("no times" in note for note in without.notes)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("order_id", [DAY + k for k in range(6)]),
        ("orderNr", [20210301 + k for k in range(6)]),
        ("seen", [1999, 2003, 2001, 2020, 2011, 1987]),  # years, or a count
        ("seen", [1, 5, 3, 2, 4, 5]),
        ("seen", [4_200_000_000 + k for k in range(6)]),  # in 2103
        ("seen", [*(DAY + k for k in range(5)), "lately"]),
        ("out", [f"2001-0{month}-01" for month in (1, 2, 3, 1, 2, 3)]),  # one for each item
        ("since", ["2001-01-01"] * 3 + ["2002-02-02"] * 3),  # one for each user
        ("birthday", [f"1999-01-0{day}" for day in range(1, 7)]),
    ],
)
def test_what_is_no_time_of_a_row_is_not_taken_for_one(name: str, values: list[object], tmp_path: Path) -> None:
    data = load(rows_with(tmp_path, **{name: values}), columns=ROLES)
    assert data.interactions.time.max() == 5 and "time =" not in " ".join(data.notes)


def test_of_two_columns_of_times_the_name_decides_or_nobody(tmp_path: Path) -> None:
    seen, sent = [DAY + 100 * k for k in range(6)], [DAY + 7 * k for k in range(6)]
    named = load(rows_with(tmp_path, seen_at=seen, sent=sent), columns=ROLES)
    assert sorted(named.interactions.time) == seen
    neither = load(rows_with(tmp_path, seen=seen, sent=sent), columns=ROLES)
    assert neither.interactions.time.max() == 5


def test_titles_that_are_ids_are_said_and_titles_without_words_are_doubted(tmp_path: Path) -> None:
    titles = ["Red storm", "Old river"]
    rows = "who,what,like,number,code\n" + "".join(f"a,{t},{k},{k}1,B0{k}X\n" for k, t in enumerate(titles))
    path, roles = text(tmp_path / "a.csv", rows), {"user": "who", "label": "like"}
    called = load(path, columns={**roles, "item": "what", "title": "what"})
    assert "items are told apart by their titles, which are their ids too" in called.notes
    assert not any("title" in warning for warning in called.warnings)
    codes = load(path, columns={**roles, "item": "code", "title": "code"}).warnings[0]
    assert codes.startswith("the titles are the items' ids, such as 'B00X'") and "data.columns.title=NAME" in codes
    numbers = load(path, columns={**roles, "item": "what", "title": "number"}).warnings[0]
    assert numbers.startswith("most titles are numbers or signs, such as '")
    sound = load(path, columns={**roles, "item": "code", "title": "what"})
    assert not any("title" in warning for warning in sound.warnings)


def test_bad_items_are_counted_apart_from_bad_rows(tmp_path: Path) -> None:
    text(tmp_path / "items.csv", "item,title\n1,Red storm\n2,\n3,Old river\n4,\n")
    path = text(tmp_path / "a.csv", "user,item,like\nu,1,1\nu,2,0\nu,3,0\n")
    with pytest.raises(DataError, match=r"line 3: item '2' has no title; mend it and 1 other bad row, or"):
        load(path)
    assert "3 bad rows skipped, 2 of them of items.csv" in load(path, skip_bad_rows=True).notes
