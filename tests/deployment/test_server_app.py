"""A deployed run as its ServerApp carries it out, over clients in this process: who is asked, and what is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deployment.conftest import Carry, Simulated


def test_it_gives_what_a_simulation_gives(carry: Carry, simulated: Simulated) -> None:
    lines, result = carry()
    expected = simulated.run.result
    assert lines[0] == "pplr in one"
    assert len(lines) == 5
    assert result["adapter_hash"] == expected["adapter_hash"]
    assert result["clients"] == expected["clients"]
    assert result["trivial"] == {}
    assert carry(resume=True)[1]["adapter_hash"] == result["adapter_hash"], "nothing was left to do"


def test_baselines_run_beside_it(carry: Carry) -> None:
    _, result = carry(baselines=["local"], federation={"rounds": 1})
    assert [each["strategy"] for each in result["baselines"]] == ["local"]


def test_a_client_is_who_its_key_says(carry: Carry) -> None:
    """Two clients' keys exchanged: each answers as before, and the run does not begin."""
    _, fault = carry({"client-0": 2, "client-1": 1, "client-2": 3})
    assert "client-0 gives no answer: it says it is 'client-1'" in fault["message"]


def test_who_is_not_registered_is_not_asked(carry: Carry) -> None:
    _, result = carry({"client-0": 1, "client-2": 3}, federation={"rounds": 1})
    assert [each["id"] for each in result["clients"]] == ["client-0", "client-2"]
    assert result["config"]["clients"]["count"] == 2


def test_a_part_of_those_that_are_registered(carry: Carry) -> None:
    _, result = carry(clients={"count": 2}, federation={"rounds": 1})
    assert [each["id"] for each in result["clients"]] == ["client-0", "client-1"]


def test_a_missing_client_is_named_with_the_mend(carry: Carry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.deployment.preparation._PATIENCE", 0.0)
    _, fault = carry({"client-0": 1, "client-1": 2, "client-2": 3, "gone": 9})
    assert fault["message"] == "clients gone are not connected; --clients 3 goes on with those that are there"
    assert carry()[1]["adapter_hash"], "nothing is left of the first one"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"data": {"path": "x"}}, "leave out data"),
        ({"strategy": "central"}, "no client hands out its rows"),
        ({"shards": 0}, "shards = 0"),
        ({"out": "../x"}, "out = ../x"),
    ],
)
def test_what_cannot_be_is_wrong_use(more: dict[str, Any], told: str, carry: Carry) -> None:
    _, fault = carry(**more)
    assert told in fault["message"]
    assert fault["code"] == 2


def test_a_run_is_not_overwritten_and_one_that_is_not_there_not_resumed(carry: Carry) -> None:
    carry(federation={"rounds": 0})
    assert "holds a run" in carry()[1]["message"]
    assert "the server has no run other" in carry(out="other", resume=True)[1]["message"]
