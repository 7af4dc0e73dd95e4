"""Every format gives the same data, whatever the order of the file; ids and titles stay as they are spelt."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.files import (
    dat,
    load,
    same,
    text,
    write_crlf_with_mark,
    write_csv,
    write_csv_gz,
    write_jsonl,
    write_ml_1m,
    write_ml_100k,
    write_ml_latest,
    write_parquet,
    write_tsv_with_items,
)
from tests.data.rows import ratings_frame

WRITERS: dict[Callable[[pd.DataFrame, Path], Path], str] = {
    write_ml_100k: "ml-100k",
    write_ml_1m: "ml-1m",
    write_ml_latest: "ml-latest",
    write_csv_gz: "csv",
    write_crlf_with_mark: "csv",
    write_tsv_with_items: "tsv",
    write_parquet: "parquet",
    write_jsonl: "jsonl",
}


@pytest.mark.parametrize(("write", "form"), WRITERS.items(), ids=lambda value: getattr(value, "__name__", value))
def test_every_format_gives_the_same_data(
    write: Callable[[pd.DataFrame, Path], Path], form: str, tmp_path: Path
) -> None:
    frame = ratings_frame(1)
    (tmp_path / "plain").mkdir()
    plain = load(write_csv(frame, tmp_path / "plain"))
    (tmp_path / "other").mkdir()
    path = write(frame, tmp_path / "other")
    other = load(path)
    same(plain, other)
    same(other, load(path, format=form))
    assert other.notes[0].startswith(f"format {form}")
    assert len(other.interactions) == len(frame)
    assert int(other.interactions.label.sum()) == int((frame["rating"] > 3).sum())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), order=st.randoms(use_true_random=False))
def test_the_order_of_the_file_never_matters(tmp_path_factory: Any, seed: int, order: Any) -> None:
    frame = ratings_frame(seed, 30).assign(client=lambda rows: rows["user"].map(lambda user: f"c{int(user) % 12}"))
    rows = list(range(len(frame)))
    order.shuffle(rows)
    folder = tmp_path_factory.mktemp("shuffled")
    one, two = load(write_csv(frame, folder)), load(write_csv(frame.iloc[rows], folder))
    same(one, two)
    np.testing.assert_array_equal(one.interactions.client, two.interactions.client)


def test_ids_and_titles_are_kept_as_spelt(tmp_path: Path) -> None:
    dat(pd.DataFrame([["2", "0104257", 8, 5], ["10", "0104257", 7, 5]]), tmp_path / "9.ratings.dat")
    dat(pd.DataFrame([["0104257", "Fantômas (1913)"], ["0000001", "Fantômas (1913)"]]), tmp_path / "9.movies.dat")
    data = load(tmp_path)
    assert data.name == "movietweetings"
    assert data.catalogue.ids == ("0104257", "0000001")
    assert data.catalogue.titles == ("Fantômas (1913)", "Fantômas (1913)")
    assert data.interactions.user_ids == ("2", "10")
    assert data.interactions.label.tolist() == [1, 0]


def test_quotes_are_quotes_in_csv_and_letters_in_tsv(tmp_path: Path) -> None:
    quoted = load(text(tmp_path / "a.csv", 'user,item,label,title\nu,i,1,"A ""B"", C"\n'))
    within = load(text(tmp_path / "b.csv", 'user,item,label,title\nu,i,1,12" Vinyl\nu,i,1,12" Vinyl\n'))
    plain = load(text(tmp_path / "a.tsv", 'user\titem\tlabel\ttitle\nu\ti\t1\t"A" B\n'))
    assert quoted.catalogue.titles == ('A "B", C',)
    assert within.catalogue.titles == ('12" Vinyl',)
    assert plain.catalogue.titles == ('"A" B',)


def test_label_wins_over_rating_and_reads_words(tmp_path: Path) -> None:
    content = "uid,iid,score,liked,name\n" + "".join(
        f"{i},1,5,{word},T\n" for i, word in enumerate(["yes", "FALSE", "0"])
    )
    assert load(text(tmp_path / "a.csv", content)).interactions.label.tolist() == [1, 0, 0]


def test_thresholds(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", "user,item,stars,title\n" + "".join(f"1,{i},{i},T\n" for i in range(11)))
    assert int(load(path).interactions.label.sum()) == 5
    assert any("midpoint" in note and "above 5 " in note for note in load(path).notes)
    assert int(load(path, like_above=7).interactions.label.sum()) == 3


@pytest.mark.parametrize("name", ["product_name", "Book Name", "recipe-title", "movieName"])
def test_what_an_item_is_called_is_its_title(tmp_path: Path, name: str) -> None:
    path = text(tmp_path / "a.csv", f"user,item,label,{name}\nA,X,1,Red storm\n")
    assert load(path).catalogue.titles == ("Red storm",)


def test_columns_by_option(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", "who,what,user,label,title\nA,X,B,1,T\n")
    data = load(path, columns={"user": "who", "item": "what"})
    assert (data.interactions.user_ids, data.catalogue.ids) == (("A",), ("X",))


def test_dates_seconds_and_no_times(tmp_path: Path) -> None:
    rows = ["1970-01-01", "1970-01-01T01:00:00+01:00", "1970-01-02T00:00:01Z", "7.9", "-1"]
    path = text(
        tmp_path / "a.csv", "user,item,label,title,date\n" + "".join(f"{i},1,1,T,{t}\n" for i, t in enumerate(rows))
    )
    assert load(path).interactions.time.tolist() == [0, 0, 86401, 7, -1]
    path = text(tmp_path / "b.csv", "user,item,label,title\nu,2,1,T\nu,1,0,S\n")
    assert load(path).interactions.label.tolist() == [1, 0]
    assert "no times: the order of the file counts" in load(path).notes
    path = text(tmp_path / "c.csv", "user,item,label,title,played_at,device\nu,2,1,T,1720000000,tv\n")
    notes = load(path).notes
    assert "columns: user = 'user', item = 'item', label = 'label', title = 'title'" in notes
    warning = next(each for each in load(path).warnings if "no times" in each)
    assert warning.endswith("though column 'played_at' may hold them: --set data.columns.time=played_at")
    other = text(tmp_path / "d.csv", "user,item,label,title,device,release_date\nu,2,1,T,tv,1990-01-01\n")
    assert any("(columns not used: 'device', 'release_date';" in note for note in load(other).notes)
    text(tmp_path / "items.csv", "item,title\n2,S\n")
    assert any(note.endswith("time = 'played_at', title from items.csv") for note in
               load(path, columns={"time": "played_at"}).notes)  # fmt: skip


def test_given_split_and_clients(tmp_path: Path) -> None:
    words = ["train", "Validation", "val", "dev", "test", "valid"]
    lines = "".join(f"u,{i},1,T,{word},b.{i}\n" for i, word in enumerate(words))
    data = load(text(tmp_path / "a.csv", "user,item,label,title,split,client\n" + lines)).interactions
    assert data.split.tolist() == [0, 1, 1, 1, 2, 1]
    assert data.client is not None
    assert [data.client_ids[i] for i in data.client] == [f"b.{i}" for i in range(6)]


def test_repeated_rows_stay(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", "user,item,label,title,time\n" + "u,i,1,T,5\n" * 2 + "u,i,0,T,5\n")
    assert load(path).interactions.label.tolist() == [0, 1, 1]


def test_unrated_items_are_in_the_catalogue(tmp_path: Path) -> None:
    text(tmp_path / "items.tsv", "9\tNine\n1\tOne\n")
    assert load(text(tmp_path / "a.csv", "user,item,label\nu,1,1\n")).catalogue.ids == ("9", "1")


@pytest.mark.slow
def test_a_million_rows_take_seconds(tmp_path: Path) -> None:
    frame = pd.concat([ratings_frame(4, 10_000)] * 100)
    start = time.perf_counter()
    assert len(load(write_ml_1m(frame, tmp_path)).interactions) == 1_000_000
    assert time.perf_counter() - start < 30
