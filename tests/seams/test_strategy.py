"""A strategy from outside: one file, and one line of the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedrec.config import load, run_section
from fedrec.errors import UsageError
from fedrec.registry import STRATEGIES
from fedrec.reporting import run_page
from fedrec.settings import known_keys
from fedrec.strategies import strategy_of
from fedrec.strategies.strategy import Strategy
from tests.conftest import Settings
from tests.server.test_federation import ran


@pytest.fixture(autouse=True)
def median(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STRATEGIES, "median", "tests.seams.toy_strategy:Median")


def test_it_trains_is_measured_and_shown(tmp_path: Path, small: Settings) -> None:
    result = ran(tmp_path / "run", small(strategy="median", federation__rounds=1))
    assert len(result["clients"]) == 3
    assert result["config"]["median"] == {"part": 0.5}
    assert "the median of theirs" in run_page.render(result)


def test_both_halves_are_its_own(tmp_path: Path, small: Settings) -> None:
    settings = small(federation__rounds=1)
    hashes = [
        ran(tmp_path / str(number), settings | more)["adapter_hash"]
        for number, more in enumerate(
            ({"strategy": "fedavg"}, {"strategy": "median"}, {"strategy": "median", "median.part": 1.0})
        )
    ]
    assert len(set(hashes)) == 3


def test_its_settings_are_checked() -> None:
    with pytest.raises(UsageError, match=r"median\.part = 2"):
        load(sets=("strategy=median", "median.part=2"))
    chosen = strategy_of(load(sets=("strategy=median", "median.part=0.25")))
    assert chosen.model_dump() == {"part": 0.25}
    assert {"median", "median.part"} <= set(known_keys(run_section()))


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_line_is_a_strategy(name: str) -> None:
    assert issubclass(STRATEGIES.load(name), Strategy)
    assert STRATEGIES.load(name).words
