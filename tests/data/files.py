"""The same ratings as files of every format, and the reading of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fedrec.data.dataset import Dataset
from fedrec.data.readers import read
from fedrec.data_settings import DataConfig


def load(path: Path, **options: Any) -> Dataset:
    return read(DataConfig(path=str(path), **options))


def same(one: Dataset, other: Dataset) -> None:
    """Equal rows, users and catalogue (formats differ in name and notes)."""
    assert one.catalogue == other.catalogue
    assert one.interactions.user_ids == other.interactions.user_ids
    assert one.interactions.client_ids == other.interactions.client_ids
    for column in ("user", "item", "label", "time", "split"):
        np.testing.assert_array_equal(getattr(one.interactions, column), getattr(other.interactions, column))


def items_of(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["item", "title"]].drop_duplicates("item").sort_values("item")


def dat(frame: pd.DataFrame, path: Path, encoding: str = "utf-8", separator: str = "::", end: str = "") -> None:
    lines = (separator.join(map(str, row)) + end for row in frame.itertuples(index=False))
    path.write_bytes("\n".join(lines).encode(encoding) + b"\n")


def write_ml_100k(frame: pd.DataFrame, folder: Path) -> Path:
    dat(frame[["user", "item", "rating", "timestamp"]], folder / "u.data", separator="\t")
    dat(items_of(frame), folder / "u.item", "latin-1", "|", "|01-Jan-1995||" + "|0" * 19)
    return folder


def write_ml_1m(frame: pd.DataFrame, folder: Path) -> Path:
    dat(frame[["user", "item", "rating", "timestamp"]], folder / "ratings.dat")
    dat(items_of(frame), folder / "movies.dat", "latin-1", end="::Drama|Comedy")
    return folder


def write_ml_latest(frame: pd.DataFrame, folder: Path) -> Path:
    names = {"user": "userId", "item": "movieId"}
    frame.rename(columns=names).drop(columns="title").to_csv(folder / "ratings.csv", index=False)
    items_of(frame).rename(columns=names).assign(genres="Drama").to_csv(folder / "movies.csv", index=False)
    (folder / "links.csv").write_text("movieId,imdbId\n1,2\n")
    return folder


def write_csv(frame: pd.DataFrame, folder: Path) -> Path:
    frame.rename(columns={"user": "User-ID", "item": "asin"}).to_csv(folder / "r.csv", index=False)
    return folder / "r.csv"


def write_csv_gz(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_csv(folder / "r.csv.gz", index=False)
    return folder


def write_crlf_with_mark(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_csv(folder / "r.csv", index=False, encoding="utf-8-sig", lineterminator="\r\n")
    return folder / "r.csv"


def write_tsv_with_items(frame: pd.DataFrame, folder: Path) -> Path:
    frame.drop(columns="title").to_csv(folder / "interactions.tsv.gz", sep="\t", index=False)
    dat(items_of(frame), folder / "items.tsv", separator="\t")
    return folder


def write_parquet(frame: pd.DataFrame, folder: Path) -> Path:
    typed = frame.assign(
        user=frame["user"].astype(int),
        rating=frame["rating"].astype(float),
        title=frame["title"].astype("category"),
        timestamp=pd.to_datetime(frame["timestamp"], unit="s", utc=True),
    )
    typed.to_parquet(folder / "r.parquet")
    return folder / "r.parquet"


def write_jsonl(frame: pd.DataFrame, folder: Path) -> Path:
    rows = frame.assign(user=frame["user"].astype(int)).to_dict("records")
    (folder / "r.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder / "r.jsonl"


def text(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
