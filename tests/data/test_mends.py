"""Every mend that a message of the readers suggests, followed as a person would from the command line, works."""

from __future__ import annotations

import gzip
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pandas as pd
import pytest
from typer.testing import CliRunner

from clients.commands.vault import import_
from fedrec import options
from fedrec.commands import data as commands
from fedrec.commands.base import build
from fedrec.errors import FedrecError
from server.commands.simulate import simulate
from tests.data.files import text, write_ml_100k
from tests.data.rows import ratings_frame
from unlearning.commands.unlearn import compare

HEAD = "user,item,rating,title\n"
ROWS = "".join(f"u{i % 3},i{i},{1 + i % 5},T{i}\n" for i in range(30))
PLAIN = HEAD + ROWS
LATIN = PLAIN.replace("T3", "Café").encode("latin-1")
Make = Callable[[Path], object]


def figures(*arguments: str) -> dict[str, Any]:
    """What `data inspect` finds."""
    result = CliRunner().invoke(commands.app, ["inspect", *arguments, "--json", "-"])
    if result.exception is not None:
        raise result.exception
    tree: dict[str, Any] = json.loads(result.stdout)
    return tree


def csv(content: str | bytes, name: str = "a.csv") -> Make:
    return lambda folder: text(folder / name, content)


def renamed(column: str) -> Make:
    return csv(PLAIN.replace(column, "column", 1))


def titles_in(name: str, column: str = "title") -> Make:
    def make(folder: Path) -> None:
        rows = [line.split(",") for line in PLAIN.splitlines()[1:]]
        text(folder / "a.csv", "user,item,rating\n" + "".join(",".join(row[:3]) + "\n" for row in rows))
        text(folder / name, f"item\t{column}\n" + "".join(f"{row[1]}\t{row[3]}\n" for row in rows))

    return make


def two_of(one: str, other: str) -> Make:
    return lambda folder: (text(folder / one, PLAIN), text(folder / other, PLAIN))


def lists(folder: Path) -> None:
    rows = pd.DataFrame([line.split(",") for line in PLAIN.splitlines()[1:]], columns=HEAD.strip().split(","))
    rows.assign(name=rows["title"], title=rows["title"].map(lambda title: [title])).to_parquet(folder / "a.parquet")


OPTIONS: dict[str, tuple[Make, str, str, str]] = {
    "user": (renamed("user"), "a.csv", "no user column", "--set data.columns.user=column"),
    "item": (renamed("item"), "a.csv", "no item column", "--set data.columns.item=column"),
    "rating": (renamed("rating"), "a.csv", "no rating or label column", "--set data.columns.rating=column"),
    "title": (renamed("title"), "a.csv", "no title column", "--set data.columns.title=column"),
    "another file's titles": (titles_in("b.tsv"), "a.csv", "no title column", "--items b.tsv"),
    "an item file's columns": (
        titles_in("items.tsv", "called"), "a.csv", "items.tsv: no title column", "--set data.items.columns.title=called"
    ),
    "a list": (lists, "a.parquet", "which is no text or number", "--set data.columns.title=name"),
    "separator": (csv(PLAIN.replace(",", "^")), "a.csv", "one column only", "--set data.separator=^"),
    "encoding": (csv(LATIN), "a.csv", "not UTF-8", "--set data.encoding=latin-1"),
    "ending": (csv(PLAIN, "a.ratings"), "a.ratings", "not recognised", "--format csv"),
    "two formats": (two_of("a.csv", "b.tsv"), ".", "more than one data set", "--format csv"),
    "a taken name": (csv(PLAIN, "u.data"), "u.data", "1 fields where 4 are expected", "--format csv"),
    "equal ratings": (
        csv("user,item,rating,title,really\n" + "".join(f"u,i,3,T,{i}\n" for i in range(9))), "a.csv",
        "all ratings are 3: no threshold separates them", "--set data.columns.rating=really",
    ),
    "people of one row": (
        csv(HEAD + "".join(f"u{i},i,{i % 5},T\n" for i in range(9))), "a.csv", "no test rows among 9",
        "--set data.split=global-time --set data.test_fraction=0.5",
    ),
    "look-alikes": (csv(PLAIN + "U1,i1,3,T1\n"), "a.csv", "looks like", "--set data.ids=exact"),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_that_a_message_suggests_works(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, path, told, mend = OPTIONS[name]
    monkeypatch.chdir(tmp_path)
    make(tmp_path)
    with pytest.raises(FedrecError) as raised:
        figures(path)
    assert told in str(raised.value)
    for option in mend.split():
        assert option.rpartition("=")[0] in str(raised.value)
    assert figures(path, *mend.split())["rows"] > 1


def _unpacked(folder: Path) -> str:
    zipfile.ZipFile(folder / "a.zip").extractall(folder / "b")
    return "b/ml-100k"


def _packed_again(folder: Path) -> str:
    (folder / "a.csv.bz2").rename(folder / "a.csv.gz")
    (folder / "a.csv.gz").write_bytes(gzip.compress(PLAIN.encode()))
    return "a.csv.gz"


def _written(folder: Path) -> str:
    return str(text(folder / "a.csv", PLAIN))


def _numbered(folder: Path) -> str:
    (folder / "b.csv").rename(folder / "part-1.csv")
    (folder / "a.csv").rename(folder / "part-2.csv")
    return "."


def _moved(folder: Path) -> str:
    (folder / "part-3.csv").rename(folder / "elsewhere.txt.part")
    return "."


def _zipped(folder: Path) -> None:
    write_ml_100k(ratings_frame(1), folder)
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for file in ("u.data", "u.item"):
            archive.write(folder / file, f"ml-100k/{file}")
            (folder / file).unlink()


def _with_stray_part(folder: Path) -> None:
    text(folder / "part-1.csv", PLAIN)
    text(folder / "part-2.csv", PLAIN)
    text(folder / "part-3.csv", "some,thing,else\n1,2,3\n")


CHANGES: dict[str, tuple[Make, str, str, Callable[[Path], str], int]] = {
    "a zip of a folder": (_zipped, "a.zip", "unpack it and give the folder", _unpacked, 60),
    "another packing": (csv(b"BZh9", "a.csv.bz2"), "a.csv.bz2", "pack it with gzip", _packed_again, 30),
    "parts of one table": (two_of("a.csv", "b.csv"), ".", "names that differ by number", _numbered, 60),
    "one of two files": (two_of("a.csv", "b.csv"), ".", "name the one file itself", lambda _: "a.csv", 30),
    "what is no part": (_with_stray_part, ".", "move what is no part elsewhere", _moved, 60),
    "no header": (csv(ROWS), "a.csv", "write one above it", _written, 30),
    "an empty first line": (csv("\n\n" + PLAIN), "a.csv", "remove what is above the names", _written, 30),
    "Excel's first line": (csv("sep=,\n" + PLAIN), "a.csv", "remove what is above the names", _written, 30),
    "nothing there": (lambda _: None, "a.csv", "name a file or folder of interactions", _written, 30),
    "no data set": (lambda _: None, ".", "give a file", _written, 30),
    "no text": (csv(b"SQLite format 3\0\xff" * 99), "a.csv", "give CSV", _written, 30),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_a_message_suggests_works(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, path, told, mend, rows = CHANGES[name]
    monkeypatch.chdir(tmp_path)
    make(tmp_path)
    with pytest.raises(FedrecError, match=told):
        figures(path)
    assert figures(mend(tmp_path))["rows"] == rows


def test_a_bad_row_is_dropped_by_the_option_its_message_names(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", PLAIN + 'u1,i1,3,"T\n')
    with pytest.raises(FedrecError, match=r"line 32: .*--skip-bad-rows"):
        figures(str(path))
    tree = figures(str(path), "--skip-bad-rows")
    assert (tree["rows"], tree["skipped"]) == (30, 1)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_no_split_is_suggested_that_nothing_can_be_measured_with(rows: int, tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", HEAD + "".join(f"u{i},i{i},{i % 2},T\n" for i in range(rows)))
    with pytest.raises(FedrecError, match=r"too few to train on and to measure$|no threshold separates them"):
        figures(str(path))


def warned(path: Path, *arguments: str) -> list[str]:
    found: list[str] = figures(str(path), *arguments)["warnings"]
    return found


def test_hours_are_no_ratings_and_a_threshold_ends_the_warning(tmp_path: Path) -> None:
    hours = [1, 2, 3, 5, 8] * 8 + [11_754]
    path = text(tmp_path / "a.csv", HEAD + "".join(f"u{i % 3},i{i},{h},T{i}\n" for i, h in enumerate(hours)))
    (told,) = warned(path)
    assert "1 of 41 rows are likes above 5877.5 (the midpoint of the ratings 1 to 11754)" in told
    assert told.endswith("--like-above 3 makes 41% of the rows likes")
    assert warned(path, "--like-above", "3") == []


def test_a_column_that_may_hold_times_is_named_in_a_warning_and_naming_it_ends_it(tmp_path: Path) -> None:
    days = [f"2021-02-{1 + i % 28:02d}" for i in range(30)]
    rows = "".join(f"u{i % 3},i{i},{i % 5},T{i},{day},{day}\n" for i, day in enumerate(days))
    path = text(tmp_path / "a.csv", "user,item,rating,title,last_played,first_played\n" + rows)
    (told,) = warned(path)
    option, setting = told.rpartition(": ")[2].split()
    assert setting == "data.columns.time=last_played"
    assert warned(path, option, setting) == []


def test_labels_all_alike_are_said_and_another_column_ends_it(tmp_path: Path) -> None:
    rows = "".join(f"u{i % 3},i{i},1,{i % 2},T{i}\n" for i in range(30))
    path = text(tmp_path / "a.csv", "user,item,label,really,title\n" + rows)
    (told,) = warned(path)
    assert "30 of 30 rows are likes" in told and "--set data.columns.label=NAME" in told
    assert warned(path, "--set", "data.columns.label=really") == []


def test_rows_that_repeat_another_are_counted_and_dropping_them_ends_it(tmp_path: Path) -> None:
    rows = "".join(f"u{i % 3},i{i},{i % 5},T{i},{10**9 + i}\n" for i in range(30))
    text(path := tmp_path / "a.csv", "user,item,rating,title,time\n" + rows + rows[: rows.index("u2")])
    (told,) = warned(path)
    assert told.startswith("2 rows repeat another one") and told.endswith("drop repeats from the file")
    text(path, "user,item,rating,title,time\n" + rows)
    assert warned(path) == []


def test_ratings_that_no_threshold_separates_get_none_suggested(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", HEAD + "".join(f"u{i % 3},i{i},5,T{i}\n" for i in range(30)))
    (told,) = warned(path, "--like-above", "4")
    assert told.endswith("all ratings are 5: no threshold separates them")
    text(path, HEAD + "".join(f"u{i % 3},i{i},{5 - (i == 0)},T{i}\n" for i in range(60)))
    (told,) = warned(path)
    assert told.endswith("98% of all ratings are 5, so no threshold separates them well")


def test_times_of_an_unknown_unit_are_said_and_naming_it_ends_it(tmp_path: Path) -> None:
    """Milliseconds of 1975: as seconds they would be far in the future, as milliseconds they are unusual too."""
    rows = "".join(f"u{i % 3},i{i},{1 + i % 5},{157_000_000_000 + 86_400_000 * i},T\n" for i in range(30))
    path = text(tmp_path / "a.csv", "user,item,rating,time,title\n" + rows)
    (told,) = warned(path)
    assert "30 of 30 times are before 1980 or in the future" in told and "--set data.time_unit=ms" in told
    assert warned(path, "--set", "data.time_unit=ms") == []


def test_splits_of_unlike_rates_are_said_and_another_split_ends_it(tmp_path: Path) -> None:
    lines = [f"u{i % 20},i{i},{5 if (i < 300) == (i % 20 < 10) else 1},{1_500_000_000 + i},T" for i in range(400)]
    turned = [line.replace(",1,15", ",5,15") if i >= 300 else line for i, line in enumerate(lines)]
    path = text(tmp_path / "a.csv", "user,item,rating,time,title\n" + "\n".join(turned) + "\n")
    (told,) = warned(path)
    assert "of the train rows are likes, and 100% of the test rows" in told and "--set data.split=RULE" in told
    given = [f"{line},{'test' if i % 4 == 0 else 'train'}" for i, line in enumerate(turned)]
    text(path, "user,item,rating,time,title,split\n" + "\n".join(given) + "\n")
    assert warned(path) == []


def test_every_command_that_reads_data_has_every_option_of_reading() -> None:
    kinds = {options.Format, options.Items, options.LikeAbove, options.SkipBadRows, options.Set}
    for command in (simulate, compare, build, import_, commands.inspect):
        hints = get_type_hints(command, include_extras=True).values()
        assert all(any(hint == kind for hint in hints) for kind in kinds), command


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", PLAIN)
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser reads everything
        path.unlink()
        path.mkdir()
    with pytest.raises(FedrecError, match=r"a\.csv"):
        figures(str(path))
