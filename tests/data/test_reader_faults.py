"""Every fault of a file is one line that names place, value and mend; on request its rows are dropped and counted."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from fedrec.data.readers import FORMATS, delimited, read
from fedrec.data_settings import DataConfig
from fedrec.errors import DataError, UsageError
from tests.data.files import dat, load, same, text, write_ml_100k
from tests.data.rows import ratings_frame

HEAD = "user,item,rating,title,time\n"
GOOD = "u,1,5,T,1\nu,2,1,S,2\n"
FAULTS = {
    "no number": (HEAD + GOOD + "u,1,five,T,3\n", "a.csv line 4: rating 'five' is not a number"),
    "infinite": (HEAD + GOOD + "u,1,inf,T,3\n", "line 4: rating 'inf' is not a number"),
    "no user": (HEAD + " ,1,5,T,3\n" + GOOD, "line 2: the user is empty"),
    "no item": (HEAD + GOOD + "u,,5,T,3\n", "line 4: the item is empty"),
    "no title": (HEAD + GOOD + "u,3,5,,3\n", "line 4: item '3' has no title"),
    "no time": (HEAD + GOOD + "u,1,5,T,monday\n", "line 4: time 'monday' is not Unix seconds or an ISO date"),
    "empty time": (HEAD + GOOD + "u,1,5,T,\n", "line 4: time '' is not"),
    "too few": (HEAD + "u,1,5\n" + GOOD, "line 2: 3 fields where 5 are expected"),
    "too many": (HEAD + GOOD + "u,1,5,T,3,4\n", "line 4: 6 fields where 5 are expected"),
    "blank line": (HEAD + GOOD + "\n" + GOOD, "line 4: the user is empty"),
    "the first of two": (HEAD + GOOD + "u,1,five,T,3\n,1,5,T\n", "line 4: rating"),
    "a line break in a title": (HEAD + GOOD + 'u,1,5,"T\nT",3\n' + GOOD, "line 4: a quote is not closed"),
    "an unclosed quote": (HEAD + 'u,1,"5,T,3\n' + GOOD * 9 + 'u,2,1,"S",4\n', "line 2: a quote is not closed"),
    "text after a quote": (HEAD + GOOD + 'u,1,5,"T, 3" and "S",3\n', "line 4: a quote is not closed"),
    "a long field": (HEAD + GOOD + f'u,1,5,"{"T" * 200_000},3\n' + GOOD, "line 4: a quote is not closed"),
    "a tab in a title": (HEAD + GOOD + "u,3,5,S\tT,3\n", r"line 4: title 'S\tT' holds a line break"),
    "label": ("user,item,label,title\nu,1,1,T\nu,1,2,T\n", "line 3: label '2' is not 0/1, true/false, yes/no"),
    "split": (
        "user,item,label,title,split\nu,1,1,T,tset\nu,1,1,T,test\n",
        "line 2: split 'tset' is not train, valid or test",
    ),
    "client": ("user,item,label,title,client\nu,1,1,T,../x\nu,1,1,T,x\n", "line 2: client '../x' is not a name"),
    "long value": (HEAD + GOOD + f"u,1,{'9x' * 99},T,3\n", "...' is not a number"),
}


@pytest.mark.parametrize(("content", "message"), FAULTS.values(), ids=FAULTS)
def test_a_bad_row_is_one_line(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        load(text(tmp_path / "a.csv", content))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert re.search(r"; mend it( and \d other bad rows?)?, or pass --skip-bad-rows$", str(raised.value))


def test_bad_rows_are_dropped_and_counted_on_request(tmp_path: Path) -> None:
    bad = "u,1,five,T,3\nu,1\n,1,5,T,3\nu,9,5,,3\nw,1,5,T,x\n"
    with pytest.raises(DataError, match="every row is bad"):
        load(text(tmp_path / "a.csv", HEAD + bad), skip_bad_rows=True)
    one = load(text(tmp_path / "a.csv", HEAD + GOOD))
    two = load(text(tmp_path / "b.csv", HEAD + GOOD + bad), skip_bad_rows=True)
    same(one, two)
    assert (one.skipped, two.skipped) == (0, 5)
    assert "5 bad rows skipped" in two.notes


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("time", ["13.07.24 21:53", "07/12/2024"])
def test_where_every_row_is_bad_the_reason_is_told_and_no_skipping(time: str, skip: bool, tmp_path: Path) -> None:
    rows = "".join(f"u,{i},{i},T,{time}\n" for i in range(5))
    with pytest.raises(DataError) as raised:
        load(text(tmp_path / "a.csv", HEAD + rows), skip_bad_rows=skip)
    told = str(raised.value)
    assert f"line 2: time '{time}' is not Unix seconds or an ISO date" in told
    assert "convert the column to one of the two; every row is bad" in told
    assert "skip" not in told


def test_a_dropped_row_names_nothing(tmp_path: Path) -> None:
    two_titles = GOOD + "w,1,1,R,3\nw,2,5,Q,4\n"
    assert "2 items have more than one title (the first is '1'): the first in the alphabet is used" in (
        load(text(tmp_path / "a.csv", HEAD + two_titles)).notes
    )
    one = load(text(tmp_path / "b.csv", HEAD + GOOD + "w,1,1,R,3\n"))
    assert "1 item has more than one title ('1'): the first in the alphabet is used" in one.notes
    bad = GOOD + "u,1,five,A,3\nu,2,5,A,monday\nu,9,five,A,3\nu,9,5,,3\n"
    data = load(text(tmp_path / "c.csv", HEAD + bad), skip_bad_rows=True)
    assert not any("more than one title" in note for note in data.notes)
    assert dict(zip(data.catalogue.ids, data.catalogue.titles, strict=True)) == {"1": "T", "2": "S"}
    text(tmp_path / "items.csv", "item,title\n1,\n1,T\n2,S\n")
    listed = load(text(tmp_path / "d.csv", "user,item,label\nu,1,1\nu,2,0\n"), skip_bad_rows=True)
    assert (listed.catalogue.titles, listed.skipped) == (("T", "S"), 1)


MISSING = {
    "user": (
        "item,rating,title\n1,1,T\n",
        "no user column among 'item', 'rating', 'title'; name the user with --set data.colu",
    ),
    "item": ("user,rating,title\n1,1,T\n", "--set data.columns.item=NAME"),
    "rating": (
        "user,item,title\n1,1,T\n",
        "no rating or label column among 'user', 'item', 'title'; name a column of ratings with --set"
        " data.columns.rating=NAME, or one of 0/1 likes with --set data.columns.label=NAME",
    ),
    "user and title": ("item,rating\n1,1\n", "no user column and no title column among 'item', 'rating'; name"),
    "title": ("user,item,rating\n1,1,5\n", "--set data.columns.title=NAME"),
    "all rows": ("user,item,rating,title\n", "it has no rows"),
    "everything": ("\n\n", "the file is empty"),
    "variety": ("user,item,rating,title\n1,1,5,T\n", "all ratings are 5"),
}


@pytest.mark.parametrize(("content", "message"), MISSING.values(), ids=MISSING)
def test_what_a_file_lacks(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        load(text(tmp_path / "a.csv", content))
    assert message in str(raised.value)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_wrong_encoding_is_named(name: str, tmp_path: Path) -> None:
    rows = {
        "a.csv": "user,item,label,title\nu,1,1,Café\n",
        "a.tsv": "user\titem\tlabel\ttitle\nu\t1\t1\tCafé\n",
        "a.jsonl": '{"user":1,"item":1,"label":1,"title":"T"}\n{"user":1,"item":1,"label":1,"title":"Café"}\n',
    }
    with pytest.raises(DataError, match=r"line 2: byte 0xe9 at .* is not UTF-8"):
        load(text(tmp_path / name, rows[name].encode("latin-1")))


def test_faults_of_the_item_file(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", "user,item,label\nu,1,1\nu,2,0\n")
    for items, message in {
        "item,title\n1,T\n2,\n": r"items.csv line 3: item '2' has no title",
        "item,title\n1,T\n,S\n": r"items.csv line 3: the item id is empty",
        "item,title\n1,T\n1,S\n2,R\n": r"items.csv line 3: item '1' is listed a second time",
        "item,title\n1,T\n": r"a.csv line 3: item '2' is not in .*items.csv",
        "item,genre\n1,T\n": r"no title column among 'item', 'genre'",
    }.items():
        text(tmp_path / "items.csv", items)
        with pytest.raises(DataError, match=message):
            load(path)
    text(tmp_path / "items.csv", "item,title\n1,T\n2,\n")
    data = load(path, skip_bad_rows=True)
    assert (data.catalogue.ids, len(data.interactions), data.skipped) == (("1",), 1, 2)


def test_json_faults(tmp_path: Path) -> None:
    good = '{"user": 7, "item": "i", "label": true, "title": "\\ud800"}\n'
    for line, message in {
        "{]": "line 2: not JSON",
        "[1]": "line 2: '.1.' is no JSON object",
        "{}": "line 2: the user is",
    }.items():
        with pytest.raises(DataError, match=message):
            load(text(tmp_path / "a.jsonl", good + line))
    assert load(tmp_path / "a.jsonl", skip_bad_rows=True).catalogue.titles == ("?",)
    with pytest.raises(DataError, match="line 1: not JSON"):
        load(text(tmp_path / "a.jsonl", "user,item\n"))


def test_parquet_faults(tmp_path: Path) -> None:
    frame = pd.DataFrame({"user": [1, None], "item": ["a", "b"], "label": [1, 0], "title": ["T", "S"]})
    frame.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"row 2: the user is empty"):
        load(tmp_path / "a.parquet")
    frame.assign(title=[["T"], ["S"]]).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"column 'title' has type list.*, which is no text or number"):
        load(tmp_path / "a.parquet")
    text(tmp_path / "a.parquet", "user,item")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        load(tmp_path / "a.parquet")


def test_paths_and_formats_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no data set is recognised, found nothing; .*ml-100k"):
        load(tmp_path)
    path = text(tmp_path / "a.xyz", "user,item,label,title\nu,1,1,T\n")
    with pytest.raises(DataError, match="its format is not recognised"):
        load(path)
    assert len(load(path, format="csv").interactions) == 1
    with pytest.raises(UsageError, match=f"'excel' is unknown: choose from {', '.join(FORMATS)}"):
        load(path, format="excel")
    text(tmp_path / "a.csv", "")
    text(tmp_path / "b.csv", "")
    with pytest.raises(DataError, match=r"one csv file of interactions is expected, found a.csv, b.csv"):
        load(tmp_path)
    for name in "cdefgh":
        text(tmp_path / f"{name}.tsv", "")
    with pytest.raises(DataError, match=r"more than one data set, found a.csv, .*, f.tsv and 2 more; name the file"):
        load(tmp_path)
    for name in "cdefgh":
        (tmp_path / f"{name}.tsv").unlink()
    text(tmp_path / "a.csv.gz", gzip.compress(b"user,item,label,title\n" * 99)[:30])
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path / "a.csv.gz")


def test_a_known_format_without_its_files(tmp_path: Path) -> None:
    write_ml_100k(ratings_frame(2), tmp_path)
    (tmp_path / "u.item").unlink()
    with pytest.raises(DataError, match=r"u.item: cannot be read \(No such file or directory\)"):
        load(tmp_path)
    dat(pd.DataFrame([["1", "2", "3"]]), tmp_path / "u.data", separator="\t")
    with pytest.raises(DataError, match=r"u.data line 1: 3 fields where 4 are expected"):
        load(tmp_path)


def test_wrong_column_options(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", "user,item,label,title\nu,1,1,T\n")
    with pytest.raises(UsageError, match=r"data.columns.usr is not a role"):
        load(path, columns={"usr": "user"})
    with pytest.raises(DataError, match="no column 'who' for user; there are 'user', 'item', 'label', 'title'"):
        load(path, columns={"user": "who"})
    with pytest.raises(UsageError, match=r"u.data has fixed columns"):
        load(write_ml_100k(ratings_frame(3), tmp_path), columns={"user": "who"})


def test_how_much_is_parsed_at_once_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what is read nor the lines that are named, with bad rows of every kind all over the file."""
    lines = [f'u{n % 7},i{n % 5},{n % 5 + 1},{1500000000 + n},"T {n % 5}"' for n in range(60)]
    lines[11] += ",more"
    lines[23] = 'u1,"i1,3,1500000000,T 1'
    lines[41] = "u1,i1,x,1500000000,T 1"
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["user,item,rating,timestamp,title", *lines]) + "\n")
    found = []
    for piece in (1, 40, 1 << 22):
        monkeypatch.setattr(delimited, "_PIECE", piece)
        data = read(DataConfig(path=str(path), skip_bad_rows=True))
        with pytest.raises(DataError) as caught:
            read(DataConfig(path=str(path)))
        rows = data.interactions
        found.append(
            (data.skipped, rows.user_ids, rows.item.tolist(), rows.time.tolist(), data.catalogue, str(caught.value))
        )
    assert found[0] == found[1] == found[2]
    assert found[0][0] == 3 and "line 13" in found[0][-1]


INSPECT = """
import sys
from fedrec.cli import main
sys.argv[1:] = ["data", "inspect", sys.argv[1]]
try:
    main()
finally:
    assert not {"pandas", "scipy", "torch"} & sys.modules.keys()
"""


def test_reading_imports_no_pandas(tmp_path: Path) -> None:
    """It takes as long as a million rows; only dates, and numbers that Arrow does not read, need it."""
    path = tmp_path / "rows.csv"
    rows = "".join(f"{n % 3},{n % 9},{n % 5},{1500000000 + n},T {n % 9}\n" for n in range(60))
    path.write_text(f"user,item,rating,timestamp,title\n{rows}")
    subprocess.run([sys.executable, "-c", INSPECT, path], check=True, capture_output=True)
