"""Files as people hand them in: whatever their separators, packing, parts and encodings, every row is read."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

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


def test_a_data_set_in_a_folder_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    text(tmp_path / "archive" / "ratings.csv", "user,item,label,title\nu,1,1,T\nu,2,0,S\n")
    with pytest.raises(DataError, match=r"give one: .*/archive$"):
        load(tmp_path)
