"""A deployed run as its ServerApp carries it out, over clients in this process: who is asked, and what is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from clients.app import app as client_app
from fedrec.deployment.keys import make_keys
from fedrec.errors import FedrecError
from server.deployment.lines import FAULT, LINE, RESULT
from server.deployment.server_app import carry_out
from server.transports.in_process import LocalGrid
from tests.conftest import Settings
from tests.server.test_federation import made, simulate

Carry = Callable[..., tuple[list[str], dict[str, Any]]]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> tuple[Path, dict[str, Any]]:
    """Homes that no run has seen, a catalogue beside them, and what a simulation gives."""
    run = made(tmp_path_factory.mktemp("simulated") / "run", small(shards=2, train__epochs=1))
    kept = run.folder.parent / "kept"
    shutil.copytree(run.homes_folder, kept)
    shutil.copy(run.folder / "catalogue.json", run.folder.parent)
    simulate(run)
    return kept, run.result


@pytest.fixture
def carry(
    tmp_path: Path, expected: tuple[Path, dict[str, Any]], small: Settings, capsys: pytest.CaptureFixture[str]
) -> Carry:
    """Carry a run out; gives the lines for people, and what the last line says."""
    kept, _ = expected
    shutil.copytree(kept, tmp_path / "homes")
    names = sorted(home.name for home in kept.iterdir())
    make_keys(tmp_path / "keys", names, ["localhost"], 9443)
    toml = tmp_path / "keys" / "server" / "server.toml"
    toml.write_text(toml.read_text() + f'catalogue = "{kept.parent / "catalogue.json"}"\n')
    state = toml.parent / "state"
    state.mkdir()
    plain = {key: value for key, value in small(train__epochs=1).items() if not key.startswith(("data.", "clients."))}
    tree: dict[str, Any] = {"shards": 2}
    for key, value in plain.items():
        section, _, name = key.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[name] = value

    def carried(
        registered: dict[str, int] | None = None, out: str = "one", resume: bool = False, **more: Any
    ) -> tuple[list[str], dict[str, Any]]:
        nodes = registered or {name: place for place, name in enumerate(names, 1)}
        (state / "nodes.json").write_text(json.dumps({name: str(node) for name, node in nodes.items()}))
        grid = LocalGrid(client_app, [{"home": str(tmp_path / "homes" / name)} for name in names])
        told = {"out": out, "settings": json.dumps({**tree, **more}), "resume": resume}
        with suppress(FedrecError):
            carry_out(grid, told, toml)
        *lines, last = capsys.readouterr().out.splitlines()
        return [line.removeprefix(LINE) for line in lines], json.loads(last.removeprefix(RESULT).removeprefix(FAULT))

    return carried


def test_it_gives_what_a_simulation_gives(carry: Carry, expected: tuple[Path, dict[str, Any]]) -> None:
    lines, result = carry()
    assert lines[0] == "pplr in one"
    assert len(lines) == 5
    assert result["adapter_hash"] == expected[1]["adapter_hash"]
    assert result["clients"] == expected[1]["clients"]
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
