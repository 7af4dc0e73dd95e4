"""A method of unlearning from outside: one file, and one line of the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedrec.data.selection import Selection
from tests.cli import as_sets
from tests.conftest import Settings
from tests.unlearning.models import Maker, adapters
from unlearning.central.model import ShardedModel
from unlearning.commands.unlearn import app
from unlearning.methods import METHODS
from unlearning.methods.method import Method

USER = Selection(users=("u07",))


@pytest.fixture(autouse=True)
def fading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "fading", "tests.seams.toy_method:Fading")


def test_it_is_compared_with_the_others(tmp_path: Path, small: Settings) -> None:
    settings = as_sets(small(train__epochs=1, data__split="user-time", data__valid_fraction=0.2))
    arguments = ["--methods", "fading,strict-hash", "--shards", "2", "--out", str(tmp_path / "out"), "--json", "-"]
    ran = CliRunner().invoke(app, ["compare", *settings, *arguments])
    assert ran.exit_code == 0, ran.output
    rows = {row["name"]: row for row in json.loads(ran.stdout)["methods"]}
    assert (rows["fading"]["exact"], rows["strict-hash"]["exact"]) == ("no", "strict")
    assert rows["fading"]["steps"] == 1
    assert 0 < rows["fading"]["rows_processed"] < rows["strict-hash"]["rows_processed"]
    assert "fading" in (tmp_path / "out" / "report.html").read_text()


def test_it_forgets_in_its_own_way_and_that_stays(maker: Maker) -> None:
    model = maker.trained("fading", shards=2)
    before = adapters(model)
    (touched,) = model.forget(USER).shards
    after = adapters(model)
    assert [one == other for one, other in zip(before, after, strict=True)] == [touched != 0, touched != 1]
    assert set(model.ensemble.hashes()) == {0, 1}
    again = ShardedModel(model.folder)
    assert again.method == model.method
    assert again.train().shards == (), "what it made counts as trained"
    assert adapters(again) == after


def test_where_the_rows_are_no_longer_known_it_trains_anew(maker: Maker) -> None:
    model, exact = maker.trained("fading", shards=2), maker.trained("hash+average-nd", shards=2)
    model.withdraw(USER)
    model.erase(USER, "request")  # and killed here
    model.train()
    exact.forget(USER)
    assert adapters(model) == adapters(exact)


@pytest.fixture
def maker(tmp_path: Path, small: Settings) -> Maker:
    return Maker(tmp_path, small(train__epochs=1))


@pytest.mark.parametrize("name", METHODS)
def test_every_line_is_a_method(name: str) -> None:
    assert issubclass(METHODS.load(name), Method)
