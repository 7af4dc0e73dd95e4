"""`fedrec settings`: the list is whole, means something, and says what is really there."""

from __future__ import annotations

import json

import pytest
from typer import Typer
from typer.testing import CliRunner

from fedrec.commands.settings import settings
from fedrec.config import load, parse, run_section
from fedrec.errors import UsageError
from fedrec.settings import all_settings, flat, known_keys

app = Typer()
app.command()(settings)


def test_every_setting_is_listed_with_its_default_and_meaning() -> None:
    listed = {each.key: each for each in all_settings(run_section())}
    there = {key.partition("columns.")[0] if "columns." in key else key for key, _ in flat(parse({}).model_dump())}
    assert there == set(listed)
    assert [key for key, each in listed.items() if len(each.meaning) < 8] == []


@pytest.mark.parametrize("setting", list(all_settings(run_section())), ids=lambda each: each.key)
def test_a_default_given_as_it_is_listed_changes_nothing(setting) -> None:
    assert load(sets=(f"{setting.key}={setting.default}",)) == parse({})


def test_one_section_can_be_asked_for() -> None:
    shown = CliRunner().invoke(app, ["pplr", "--json", "-"])
    assert [each["key"] for each in json.loads(shown.stdout)["settings"]][:2] == ["pplr.similarity", "pplr.heating"]
    assert "update | adapter" in CliRunner().invoke(app, ["pplr.similarity"]).stdout
    assert "did you mean pplr" in str(CliRunner().invoke(app, ["plpr"]).exception)
    assert {"train", "data.world", "train.lr"} <= set(known_keys(run_section()))


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("train.lr=abc", 'train.lr = "abc": must be a number'),
        ("train.epochs=1.5", "train.epochs = 1.5: must be a whole number"),
        ("train.lr=-1", "train.lr = -1: must be greater than 0"),
        ("data.skip_bad_rows=maybe", "must be true or false"),
        ("data.split=x", "must be 'auto', 'given', 'user-time', 'global-time' or 'tallrec'"),
        ("baselines=3", "must be a list, ['value']"),
    ],
)
def test_a_wrong_value_is_told_in_plain_words(setting: str, told: str) -> None:
    with pytest.raises(UsageError) as raised:
        load(sets=(setting,))
    assert str(raised.value).endswith(told)


def test_settings_are_flat() -> None:
    assert flat({"a": 1, "b": {"c": {"d": None}, "e": {}}}) == [("a", 1), ("b.c.d", None), ("b.e", {})]
