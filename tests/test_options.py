"""Options that stand for settings: each for one that there is, and what is given is what is set."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any, get_type_hints

import pytest

import clients.commands.vault
import fedrec.commands.base
import fedrec.commands.data
import server.commands.simulate
import unlearning.commands.unlearn
from fedrec.config import RunConfig, load
from fedrec.options import StandsFor, given
from fedrec.settings import all_settings

COMMANDS = [
    server.commands.simulate.simulate,
    unlearning.commands.unlearn.compare,
    fedrec.commands.base.build,
    fedrec.commands.data.inspect,
    clients.commands.vault.import_,
]
EVERY = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__module__)
READING = {"data.path", "data.format", "data.items.path", "data.like_above", "data.skip_bad_rows"}


def stands_for(command: Callable[..., Any]) -> dict[str, str]:
    hints = get_type_hints(command, include_extras=True)
    extras = ((name, extra) for name, hint in hints.items() for extra in getattr(hint, "__metadata__", ()))
    return {name: extra.key for name, extra in extras if isinstance(extra, StandsFor)}


@EVERY
def test_every_command_that_reads_data_has_all_options_of_reading_and_each_is_of_a_setting(
    command: Callable[..., Any],
) -> None:
    keys = stands_for(command).values()
    assert set(keys) >= READING and len(set(keys)) == len(keys)
    assert set(keys) <= {setting.key for setting in all_settings(RunConfig)}


@EVERY
def test_nothing_given_sets_nothing(command: Callable[..., Any]) -> None:
    assert given(command, {name: each.default for name, each in signature(command).parameters.items()}) == {}


@EVERY
def test_nought_is_given_too(command: Callable[..., Any]) -> None:
    values = dict.fromkeys(signature(command).parameters) | {"like_above": 0.0, "skip_bad_rows": True}
    values |= {"seed": 0} if "seed" in values else {}
    overrides = given(command, values)
    assert overrides == {"data.like_above": 0.0, "data.skip_bad_rows": True} | ({"seed": 0} if "seed" in values else {})
    config = load(overrides=overrides)
    assert config.data.like_above == 0.0 and config.data.skip_bad_rows
