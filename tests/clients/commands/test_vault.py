"""`fedrec vault`, from a file of ratings to a restored backup."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clients.commands.vault import app
from clients.home import Home, Settings, create_home
from fedrec.errors import FedrecError, UsageError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return create_home(tmp_path / "home", Settings(name="ada")).folder


def vault(home: Path, command: str, *arguments: object) -> str:
    result = CliRunner().invoke(app, [command, str(home), *map(str, arguments)])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def figures(home: Path, command: str, *arguments: object) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(vault(home, command, *arguments, "--json", "-"))
    return tree


def test_from_a_file_to_a_restored_backup(ratings: Path, tmp_path: Path, home: Path) -> None:
    saved = tmp_path / "backup"
    assert figures(home, "import", "--data", ratings, "--like-above", 3) == {"added": 288, "repeated": 0, "refused": 0}
    listed = figures(home, "list")["users"]
    assert len(listed) == 24 and {"user": "u07", "rows": 12} in listed
    assert "u07\t12" in vault(home, "list")
    vault(home, "backup", saved)

    erased = figures(home, "erase", "--user", " u07\u200b", "--user", "u08", "--request", "r1")
    assert (erased["request"], erased["rows"], len(erased["tombstones"])) == ("by-hand:r1", 24, 2)
    for again in ("r1", "by-hand:r1"):
        assert figures(home, "erase", "--user", "u07", "--user", "u08", "--request", again) == erased
    assert figures(home, "import", "--data", ratings, "--like-above", 3) == {"added": 0, "repeated": 264, "refused": 24}
    assert figures(home, "restore", saved) == {"rows": 264, "refused": 24}

    status = figures(home, "status")
    assert (status["rows"], status["users"], status["tombstones"], status["refused"]) == (264, 22, 2, 48)
    assert {entry["refused"] for entry in status["tombstone_list"]} == {24}
    shown = vault(home, "status")
    assert "by request by-hand:r1, refused 24 rows" in shown and "u07" not in shown


def test_a_second_file_spells_people_as_the_first(tmp_path: Path, home: Path) -> None:
    head = "user,item,rating,title,time\n"
    for name, user in (("one.csv", "Bob"), ("two.csv", "bob"), ("three.csv", "\ufeffBob ")):
        rows = [f"{user},{name}{n},{1 + 4 * (n % 2)},T{n},{10**9 + n}" for n in range(8)]
        (tmp_path / name).write_text(head + "\n".join(rows) + "\n", "utf-8")
    vault(home, "import", "--data", tmp_path / "one.csv")
    with pytest.raises(FedrecError, match=r"user 'bob' looks like user 'Bob', which is in .*vault\.db: spell them"):
        vault(home, "import", "--data", tmp_path / "two.csv")
    assert figures(home, "import", "--data", tmp_path / "three.csv")["added"] == 8
    assert [user["user"] for user in figures(home, "list")["users"]] == ["Bob"]
    assert figures(home, "import", "--data", tmp_path / "two.csv", "--set", "data.ids=exact")["added"] == 8


def test_dates_are_whole_days(ratings: Path, tmp_path: Path, home: Path) -> None:
    """The ratings are all of one day."""
    vault(home, "import", "--data", ratings)
    assert figures(home, "erase", "--from", "2017-07-15")["rows"] == 0
    assert figures(home, "erase", "--item", "i3", "--to", "2017-07-14", "--user", "u01")["rows"] in (0, 1)
    assert figures(home, "erase", "--from", "2017-07-14", "--to", "2017-07-14")["rows"] > 280


def test_wrong_use_is_said(tmp_path: Path, home: Path) -> None:
    with pytest.raises(FedrecError, match=r"no vault there; `fedrec vault import --data FILE .*home` makes one"):
        vault(home, "list")
    with pytest.raises(FedrecError, match=r"no client's home; `fedrec client init --name NAME .*nowhere` makes one"):
        vault(tmp_path / "nowhere", "import")
    with pytest.raises(UsageError, match="--from 2017-07-15 is after --to 2017-07-14: exchange them"):
        vault(home, "erase", "--from", "2017-07-15", "--to", "2017-07-14")
    with pytest.raises(UsageError, match="say --yes"):
        vault(home, "destroy-key")


def test_the_key_is_destroyed_on_demand(ratings: Path, tmp_path: Path, home: Path) -> None:
    vault(home, "import", "--data", ratings)
    vault(home, "destroy-key", "--yes")
    assert figures(home, "status")["key_destroyed"] is True
    with pytest.raises(FedrecError, match="its key is destroyed"):
        vault(home, "import", "--data", ratings)


def test_rows_that_a_run_learned_from_are_not_erased_alone_unless_one_says_so(
    ratings: Path, tmp_path: Path, home: Path
) -> None:
    from fedrec.data.dataset import Catalogue
    from tests.conftest import TITLES

    vault(home, "import", "--data", ratings, "--like-above", 3)
    opened = Home(home).vault
    catalogue = Catalogue(tuple(f"i{number}" for number in range(len(TITLES))), tuple(TITLES))
    opened.record_use("mine", 0, 1, opened.interactions(catalogue), catalogue)
    with pytest.raises(
        UsageError, match=r"run mine learned from these rows.*`fedrec forget submit --user USER --run RUN`"
    ):
        vault(home, "erase", "--user", "u07")
    assert len(figures(home, "list")["users"]) == 24
    assert figures(home, "erase", "--user", "u07", "--rows-only")["rows"] == 12
