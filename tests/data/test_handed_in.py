"""Files as people hand them in: whatever their separators, packing, parts, encodings and units, every row is read."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedrec.data.readers.lines import Style, broken_quotes, found_style
from fedrec.errors import DataError
from tests.data.files import load, same, text, write_csv
from tests.data.rows import ratings_frame

FRAME = ratings_frame(6, 80).assign(title=lambda rows: rows["title"].str.replace(r"[;|,:\"]", "-", regex=True))
NAMED = FRAME.rename(columns={"user": "user_id", "item": "item_id"})


def separated(by: str) -> str:
    titles = NAMED["title"].str.replace(" ", "_") if by == " " else NAMED["title"]
    rows = NAMED.assign(title=titles).astype(str).to_numpy().tolist()
    return "\n".join(by.join(row) for row in [list(NAMED.columns), *rows]) + "\n"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    (tmp_path / "plain").mkdir()
    return write_csv(FRAME, tmp_path / "plain")


@pytest.mark.parametrize("ending", ["csv", "tsv", "txt"])
@pytest.mark.parametrize("separator", [",", "\t", ";", "|", "::"])
def test_the_separator_is_found(separator: str, ending: str, plain: Path, tmp_path: Path) -> None:
    same(load(plain), load(text(tmp_path / f"a.{ending}", separated(separator))))


def test_spaces_set_fields_apart_where_nothing_else_does(plain: Path, tmp_path: Path) -> None:
    spaced = load(text(tmp_path / "a.txt", separated(" ").replace(" ", "   ")))
    assert [title.replace("_", " ") for title in spaced.catalogue.titles] == list(load(plain).catalogue.titles)
    np.testing.assert_array_equal(spaced.interactions.label, load(plain).interactions.label)


def test_commas_in_titles_do_not_make_a_separator(tmp_path: Path) -> None:
    lines = [f"u{i % 3};{i};{i % 5};Sting, The, {i}" for i in range(30)]
    data = load(text(tmp_path / "a.csv", "\n".join(["user;item;rating;title", *lines])))
    assert data.catalogue.titles[7] == "Sting, The, 7"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_line_ends_marks_and_unicode_encodings_change_nothing(
    form: str, encoding: str, end: str, plain: Path, tmp_path: Path
) -> None:
    content = NAMED.to_csv(index=False) if form == "csv" else NAMED.to_json(orient="records", lines=True)
    path = text(tmp_path / f"a.{form}", content.replace("\r\n", "\n").replace("\n", end).encode(encoding))
    same(load(plain), load(path))


def _zipped(data: bytes) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("folder/a.csv", data)
        archive.writestr("__MACOSX/folder/._a.csv", "x")
    return packed.getvalue()


@pytest.mark.parametrize("pack", [gzip.compress, _zipped, bytes], ids=["gzip", "zip", "not at all"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.csv.zip"])
def test_packing_is_known_by_content(pack: Callable[[bytes], bytes], name: str, plain: Path, tmp_path: Path) -> None:
    if name.endswith(".zip") and pack is not _zipped:
        name = "a.csv"
    same(load(plain), load(text(tmp_path / name, pack(separated(",").encode()))))


def test_a_packed_parquet_file_is_read(plain: Path, tmp_path: Path) -> None:
    NAMED.to_parquet(tmp_path / "a.parquet")
    same(load(plain), load(text(tmp_path / "b.parquet.gz", gzip.compress((tmp_path / "a.parquet").read_bytes()))))


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_a_folder_of_parts_is_read_whole(form: str, plain: Path, tmp_path: Path) -> None:
    """As Spark writes it: marks and checks beside the parts, and parts without rows."""
    folder = tmp_path / "out"
    folder.mkdir()
    for number, part in enumerate([NAMED.iloc[:50], NAMED.iloc[50:]]):
        name = folder / f"part-0000{number}-1d3fa0c8-11aa-4c8e-9d1b-2f0e6a7b9c0{number}-c000.{form}"
        if form == "parquet":
            part.to_parquet(name)
        else:
            name.write_text(part.to_csv(index=False) if form == "csv" else part.to_json(orient="records", lines=True))
    (folder / "_SUCCESS").touch()
    (folder / ".part-00000.crc").write_bytes(b"\0\1")
    if form != "parquet":
        (folder / f"part-00002-1d3fa0c8-11aa-4c8e-9d1b-2f0e6a7b9c02-c000.{form}").touch()
    same(load(plain), load(folder))


def test_the_folders_of_a_partition_are_a_column(plain: Path, tmp_path: Path) -> None:
    for rating, rows in NAMED.groupby("rating"):
        part = tmp_path / "out" / f"rating={rating}"
        part.mkdir(parents=True)
        rows.drop(columns="rating").to_csv(part / "part-0.csv", index=False)
    same(load(plain), load(tmp_path / "out"))


def test_a_bad_row_of_a_part_is_named_with_its_part(tmp_path: Path) -> None:
    text(tmp_path / "part-0.csv", "user,item,label,title\nu,1,1,T\nu,2,1,S\n")
    text(tmp_path / "part-1.csv", "user,item,label,title\nu,1,1,T\nu,2,x,S\n")
    with pytest.raises(DataError, match=r"part-1\.csv line 3: label 'x'"):
        load(tmp_path)
    text(tmp_path / "part-0.csv", 'user,item,label,title\nu,1,1,T\nu,2,1,"S\n')
    with pytest.raises(DataError, match=r"part-0\.csv line 3: a quote"):
        load(tmp_path)
    assert load(tmp_path, skip_bad_rows=True).skipped == 2


def test_recbole_files_are_read(plain: Path, tmp_path: Path) -> None:
    types = {"user_id": "token", "item_id": "token", "rating": "float", "timestamp": "float"}
    rows = NAMED.drop(columns="title").rename(columns={name: f"{name}:{kind}" for name, kind in types.items()})
    rows.to_csv(tmp_path / "x.inter", sep="\t", index=False)
    items = NAMED[["item_id", "title"]].drop_duplicates().sort_values("item_id")
    items.to_csv(tmp_path / "x.item", sep="\t", index=False, header=["item_id:token", "movie_title:token_seq"])
    for path in (tmp_path / "x.inter", tmp_path):
        data = load(path)
        same(load(plain), data)
        assert data.notes[0] == "format recbole: x.inter, x.item"
    rows.columns = rows.columns.str.replace("item_id:token", "thing:token")
    rows.to_csv(tmp_path / "x.inter", sep="\t", index=False)
    same(load(plain), load(tmp_path, columns={"item": "thing"}, items={"columns": {"item": "item_id"}}))


def test_amazons_names_are_known(plain: Path, tmp_path: Path) -> None:
    names = {"user": "reviewerID", "item": "asin", "rating": "overall", "timestamp": "unixReviewTime"}
    path = tmp_path / "a.jsonl"
    path.write_text(FRAME.rename(columns=names).to_json(orient="records", lines=True))
    same(load(plain), load(path))


def test_an_item_file_has_columns_of_its_own(tmp_path: Path) -> None:
    path = text(tmp_path / "play.tsv", "User_ID\tGame\tHours\n1\t1\t3\n1\t2\t9\n")
    text(tmp_path / "games.csv", "Game;Game Name;title\n1;A, B;x\n2;C;y\n")
    columns = {"item": "Game", "rating": "Hours"}
    items = {"path": str(tmp_path / "games.csv"), "columns": {"title": "Game Name"}}
    assert load(path, columns=columns, items=items).catalogue.titles == ("A, B", "C")
    items["columns"] = {"item": "Game Name", "title": "Game"}
    with pytest.raises(DataError, match=r"play\.tsv line 2: item '1' is not in .*games\.csv"):
        load(path, columns=columns, items=items)
    with pytest.raises(DataError, match=r"--items nowhere\.csv: no such file"):
        load(path, columns=columns, items={"path": "nowhere.csv"})


def test_a_mark_leaves_a_known_format_its_threshold(tmp_path: Path) -> None:
    """With a mark before its header `ratings.csv` was no MovieLens, and the midpoint 2.75 made likes of all threes."""
    rows = "".join(f"{i % 3},{i % 7},{0.5 * (1 + i % 10)},{1_500_000_000 + i}\n" for i in range(70))
    text(tmp_path / "ratings.csv", "\ufeffuserId,movieId,rating,timestamp\n" + rows)
    text(tmp_path / "movies.csv", "\ufeffmovieId,title,genres\n" + "".join(f"{i},T{i},Drama\n" for i in range(7)))
    data = load(tmp_path)
    assert "a rating above 3 is a like (usual for ml-latest)" in data.notes


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


def test_a_data_set_in_a_folder_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    text(tmp_path / "archive" / "ratings.csv", "user,item,label,title\nu,1,1,T\nu,2,0,S\n")
    with pytest.raises(DataError, match=r"give one: .*/archive$"):
        load(tmp_path)


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
