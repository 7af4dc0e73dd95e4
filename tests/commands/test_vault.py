"""`fedrec vault`, from a file of ratings to a restored backup."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fedrec.commands.vault import app
from fedrec.errors import FedrecError, UsageError


def vault(path: Path, command: str, *arguments: object) -> str:
    result = CliRunner().invoke(app, [command, "--vault", str(path), *map(str, arguments)])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def figures(path: Path, command: str, *arguments: object) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(vault(path, command, *arguments, "--json", "-"))
    return tree


def test_from_a_file_to_a_restored_backup(ratings: Path, tmp_path: Path) -> None:
    path, saved = tmp_path / "vault.db", tmp_path / "backup"
    assert figures(path, "import", ratings, "--like-above", 3) == {"added": 288, "repeated": 0, "refused": 0}
    listed = figures(path, "list")["users"]
    assert len(listed) == 24 and {"user": "u07", "rows": 12} in listed
    assert "u07\t12" in vault(path, "list")
    vault(path, "backup", saved)

    erased = figures(path, "erase", "--user", " u07\u200b", "--user", "u08", "--request", "r1")
    assert (erased["request"], erased["rows"], len(erased["tombstones"])) == ("r1", 24, 2)
    assert figures(path, "erase", "--user", "u07", "--user", "u08", "--request", "r1") == erased
    assert figures(path, "import", ratings, "--like-above", 3) == {"added": 0, "repeated": 264, "refused": 24}
    assert figures(path, "restore", saved) == {"rows": 264, "refused": 24}

    status = figures(path, "status")
    assert (status["rows"], status["users"], status["tombstones"], status["refused"]) == (264, 22, 2, 48)
    assert {entry["refused"] for entry in status["tombstone_list"]} == {24}
    shown = vault(path, "status")
    assert "by request r1, refused 24 rows" in shown and "u07" not in shown


def test_a_second_file_spells_people_as_the_first(tmp_path: Path) -> None:
    path, head = tmp_path / "vault.db", "user,item,rating,title,time\n"
    for name, user in (("one.csv", "Bob"), ("two.csv", "bob"), ("three.csv", "\ufeffBob ")):
        rows = [f"{user},{name}{n},{1 + 4 * (n % 2)},T{n},{10**9 + n}" for n in range(8)]
        (tmp_path / name).write_text(head + "\n".join(rows) + "\n", "utf-8")
    vault(path, "import", tmp_path / "one.csv")
    with pytest.raises(FedrecError, match=r"user 'bob' looks like user 'Bob', which is in .*vault\.db: spell them"):
        vault(path, "import", tmp_path / "two.csv")
    assert figures(path, "import", tmp_path / "three.csv")["added"] == 8
    assert [user["user"] for user in figures(path, "list")["users"]] == ["Bob"]
    assert figures(path, "import", tmp_path / "two.csv", "--set", "data.ids=exact")["added"] == 8


def test_dates_are_whole_days(ratings: Path, tmp_path: Path) -> None:
    """The ratings are all of one day."""
    path = tmp_path / "vault.db"
    vault(path, "import", ratings)
    assert figures(path, "erase", "--from", "2017-07-15")["rows"] == 0
    assert figures(path, "erase", "--item", "i3", "--to", "2017-07-14", "--user", "u01")["rows"] in (0, 1)
    assert figures(path, "erase", "--from", "2017-07-14", "--to", "2017-07-14")["rows"] > 280


def test_wrong_use_is_said(tmp_path: Path) -> None:
    with pytest.raises(FedrecError, match="no vault there"):
        vault(tmp_path / "vault.db", "list")
    with pytest.raises(UsageError, match="--from 2017-07-15 is after --to 2017-07-14: exchange them"):
        vault(tmp_path / "vault.db", "erase", "--from", "2017-07-15", "--to", "2017-07-14")
    with pytest.raises(UsageError, match="say --yes"):
        vault(tmp_path / "vault.db", "destroy-key")


def test_the_key_is_destroyed_on_demand(ratings: Path, tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    vault(path, "import", ratings)
    vault(path, "destroy-key", "--yes")
    assert figures(path, "status")["key_destroyed"] is True
    with pytest.raises(FedrecError, match="its key is destroyed"):
        vault(path, "import", ratings)


def test_rows_that_a_run_learned_from_are_not_erased_alone_unless_one_says_so(ratings: Path, tmp_path: Path) -> None:
    from fedrec.data.table import Catalogue
    from fedrec.vault.vault import Vault
    from tests.conftest import TITLES

    path = tmp_path / "vault.db"
    vault(path, "import", ratings, "--like-above", 3)
    catalogue = Catalogue(tuple(f"i{number}" for number in range(len(TITLES))), tuple(TITLES))
    Vault(path).record_use("mine", 0, 1, Vault(path).interactions(catalogue), catalogue)
    with pytest.raises(
        UsageError, match=r"run mine learned from these rows.*`fedrec forget submit --user USER --run RUN`"
    ):
        vault(path, "erase", "--user", "u07")
    assert len(figures(path, "list")["users"]) == 24
    assert figures(path, "erase", "--user", "u07", "--rows-only")["rows"] == 12
