"""`fedrec data inspect`, and the loading of a configuration's data: figures, users, JSON, wrong use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fedrec.commands.data import app
from fedrec.data.dataset import HISTORY, TEST, TRAIN
from fedrec.data.load import load_dataset
from fedrec.data.selection import Selection
from fedrec.data.summary import summarise
from fedrec.data_settings import DataConfig, WorldConfig
from fedrec.errors import DataError, UsageError
from fedrec.vault.vault import Vault
from tests.data.rows import ratings_frame


@pytest.fixture
def film_file(tmp_path: Path) -> Path:
    frame = ratings_frame(5, 300)
    frame.to_csv(tmp_path / "films.csv", index=False)
    return tmp_path / "films.csv"


def inspect(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["inspect", *map(str, arguments)])
    if result.exception is not None:
        raise result.exception
    return result.output


def figures(*arguments: object) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(inspect(*arguments, "--json", "-"))
    return tree


def test_figures_are_those_of_the_file(film_file: Path) -> None:
    frame = pd.read_csv(film_file, dtype={"user": str})
    tree = figures(film_file, "--users", 3)
    assert (tree["rows"], tree["users"], tree["items"]) == (
        len(frame),
        frame["user"].nunique(),
        frame["item"].nunique(),
    )
    assert tree["like_rate"] == pytest.approx((frame["rating"] > 3).mean())
    assert tree["titles_repeated"] == 2
    assert sum(part["rows"] for part in tree["splits"].values()) == len(frame)
    lengths = frame["user"].value_counts()
    assert tree["rows_per_user"] == [lengths.quantile(q) for q in (0, 0.25, 0.5, 0.75, 1)]
    assert tree["best_possible_auc"] is None
    assert set(tree["trivial"]) == {"valid", "test"}
    for user in tree["users_listed"]:
        mine = frame[frame["user"] == user["user"]]
        assert (user["rows"], user["likes"], user["client"]) == (len(mine), (mine["rating"] > 3).sum(), None)
        assert user["train"] + user["valid"] + user["test"] == user["rows"]
    assert [user["user"] for user in tree["users_listed"]] == ["1", "2", "3"]


def test_options_reach_the_reader(film_file: Path) -> None:
    strict = figures(film_file, "--like-above", 4, "--set", "data.split=global-time", "--format", "csv")
    frame = pd.read_csv(film_file)
    assert strict["like_rate"] == pytest.approx((frame["rating"] > 4).mean())
    assert "split: global-time" in strict["notes"]
    with film_file.open("a") as file:
        file.write("1,1,many,5,T\n")
    with pytest.raises(DataError, match="rating 'many' is not a number"):
        inspect(film_file)
    assert figures(film_file, "--skip-bad-rows")["skipped"] == 1


def test_the_table_and_the_file_say_the_same(film_file: Path, tmp_path: Path) -> None:
    shown = inspect(film_file, "--users", 1, "--json", tmp_path / "out.json")
    tree = json.loads((tmp_path / "out.json").read_text("utf-8"))
    for value in tree["trivial"]["test"].values():
        assert f"{value:.3f}" in shown
    assert f"{tree['rows']:,} rows" in shown
    assert "2 items share their title" in shown


def test_no_valid_rows_are_null_in_json(film_file: Path) -> None:
    tree = figures(film_file, "--set", "data.valid_fraction=0")
    assert tree["trivial"]["valid"]["sum"] is None
    assert "valid" not in tree["splits"]
    assert "no valid AUC: there are no valid rows" in tree["notes"]


def test_rows_of_one_class_have_no_auc_and_it_is_told_why(tmp_path: Path) -> None:
    lines = "".join(f"u,{i},{int(i < 5)},T,{split}\n" for i, split in enumerate(["train"] * 10 + ["test"] * 4))
    (tmp_path / "a.csv").write_text("user,item,label,title,split\n" + lines)
    tree = figures(tmp_path / "a.csv")
    assert tree["trivial"]["test"]["sum"] is None
    assert "no test AUC: all 4 test rows are dislikes" in tree["notes"]
    assert "sum––" in inspect(tmp_path / "a.csv").replace(" ", "")
    (tmp_path / "a.csv").write_text("user,item,label,title,split\n" + lines.rsplit("u,", 3)[0])
    assert "no test AUC: the only test row is a dislike" in figures(tmp_path / "a.csv")["notes"]


def test_the_generated_world_is_the_default() -> None:
    small = ("--set", "data.world.users=20", "--set", "data.world.items=60", "--set", "data.world.cohort=10")
    tree = figures(*small)
    assert (tree["name"], tree["users"], tree["items"]) == ("generated", 20, 60)
    assert tree["best_possible_auc"] > 0.6


def test_homes_tell_what_their_clients_hold(film_file: Path, tmp_path: Path) -> None:
    data = load_dataset(DataConfig(path=str(film_file), like_above=4), 1)
    rows, vaults = data.interactions, []
    for number in range(2):
        vaults.append(Vault.create(tmp_path / "homes" / f"client-{number}" / "vault.db"))
        vaults[-1].import_rows(rows.take(rows.user % 2 == number), data.catalogue)
    homes = tmp_path / "homes"
    tree = figures("--homes", homes, "--users", 2)
    assert tree == figures(film_file, "--like-above", 4, "--users", 2) | {
        "name": "homes", "notes": tree["notes"], "users_listed": tree["users_listed"]
    }  # fmt: skip
    assert [user["client"] for user in tree["users_listed"]] == ["client-0", "client-1"]
    assert "client-1" in inspect("--homes", homes, "--users", 2)
    vaults[0].erase(Selection(users=("1",)), "r")
    assert [user["user"] for user in figures("--homes", homes, "--users", 2)["users_listed"]] == ["2", "3"]
    with pytest.raises(UsageError, match="--homes reads what clients hold"):
        inspect(film_file, "--homes", homes)
    with pytest.raises(UsageError, match="no client's home is in it"):
        inspect("--homes", tmp_path)


def test_train_rows_leaves_test_rows_alone(film_file: Path) -> None:
    whole = load_dataset(DataConfig(path=str(film_file)), 1)
    part = load_dataset(DataConfig(path=str(film_file), train_rows=20), 1)
    again = load_dataset(DataConfig(path=str(film_file), train_rows=20), 1)
    other = load_dataset(DataConfig(path=str(film_file), train_rows=20), 2)
    assert (part.interactions.split == TRAIN).sum() == 20
    assert (part.interactions.split == TEST).sum() == (whole.interactions.split == TEST).sum()
    assert (part.interactions.split == HISTORY).sum() == (whole.interactions.split == TRAIN).sum() - 20
    np.testing.assert_array_equal(part.interactions.item, whole.interactions.item)
    np.testing.assert_array_equal(part.interactions.split, again.interactions.split)
    assert not np.array_equal(part.interactions.split, other.interactions.split)


def test_truth_beats_the_trivial_scorers() -> None:
    world = WorldConfig(users=60, items=100, rows=30, cohort=10)
    summary = summarise(load_dataset(DataConfig(world=world), 1))
    assert summary.best_possible_auc is not None
    assert summary.best_possible_auc > max(summary.trivial["test"].values())


def test_help_needs_no_heavy_import() -> None:
    heavy = {"torch", "pandas", "sklearn", "pyarrow"}
    code = "import sys, fedrec.commands.data; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(done.stdout.split())


def test_the_data_set_is_an_argument_or_an_option_and_one_only(film_file: Path) -> None:
    assert figures("--data", film_file) == figures(film_file) == figures(film_file, "--data", film_file)
    with pytest.raises(UsageError, match=r"--data other\.csv: give one of the two"):
        inspect(film_file, "--data", "other.csv")


def test_items_without_rows_are_counted(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item,title\n" + "".join(f"{k},Film {k}\n" for k in range(40)))
    rows = "".join(f"u{k % 3},{k},{k % 2},{1_500_000_000 + k}\n" for k in range(30))
    (tmp_path / "a.csv").write_text("user,item,like,time\n" + rows)
    assert "10 items have no rows" in inspect(tmp_path / "a.csv")
    assert figures(tmp_path / "a.csv")["unrated"] == 10
