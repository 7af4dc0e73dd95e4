"""Titles, base model and first adapter of a run are pinned: others in their place answer nobody and certify nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

import fedrec
from fedrec.errors import FedrecError
from fedrec.files import read_json, write_json
from fedrec.protocol.facts import digest
from server.integrity.altered import altered
from server.simulated_run import SimulatedRun as Run
from tests.server.integrity.test_stale import call
from tests.server.test_federated_executor import asked, of

Copy = Callable[[Path], Run]
OTHERS = "not what the run was prepared over"


@pytest.fixture
def run(tmp_path: Path, finished: Copy) -> Run:
    return finished(tmp_path / "run")


def exchange_titles(path: Path) -> None:
    """Which are in a catalogue.json, as they would be served to somebody."""
    told = read_json(path)
    told["titles"] = [*told["titles"][1:], told["titles"][0]]
    path.unlink()  # it may be one file with others
    path.write_text(json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":")))


def exchange_first_adapter(run: Run) -> None:
    path = run.folder / "initial" / "adapter_model.safetensors"
    save_file({name: 2 * tensor for name, tensor in load_file(path).items()}, path, {"format": "pt"})


def opened(run: Run) -> Run:
    """It, as another process would find it."""
    return Run(run.folder)


def test_a_run_as_it_was_prepared_has_nothing_else_in_its_place(run: Run) -> None:
    assert all(value for _, value in run.config.pinned)
    assert [*altered(run)] == []


def test_other_titles_at_the_server_are_refused_and_named(run: Run) -> None:
    asked(run, *of("u07"))
    exchange_titles(run.folder / "catalogue.json")
    assert OTHERS in call("forget", "run", "--run", run.folder, fails=True)
    assert f"catalogue.json: {OTHERS}" in call("forget", "audit", "--run", run.folder, fails=True)
    assert "catalogue.json" in {path.name for path, _ in altered(opened(run))}


def test_another_first_adapter_is_refused_and_named(run: Run) -> None:
    asked(run, *of("u07"))
    exchange_first_adapter(run)
    assert f"initial: {OTHERS}" in call("forget", "run", "--run", run.folder, fails=True)
    assert [path.name for path, _ in altered(opened(run))] == ["initial"]


def test_other_titles_at_a_client_answer_nobody(run: Run) -> None:
    (name,) = run.clients_of()["u07"]
    exchange_titles(run.client(name).folder / "catalogue.json")
    assert OTHERS in call("recommend", run.folder, "--user", "u07", fails=True)
    assert [path for path, _ in altered(opened(run))] == [run.client(name).folder / "catalogue.json"]


def test_clients_hold_a_server_to_what_they_were_told_first(run: Run) -> None:
    """Whoever alters the titles may alter the pin as well; then it is the clients that refuse."""
    asked(run, *of("u07"))
    exchange_titles(run.folder / "catalogue.json")
    content = read_json(run.folder / "config.json")
    content["pinned"]["catalogue"] = digest(read_json(run.folder / "catalogue.json"))
    write_json(run.folder / "config.json", content)
    said = call("forget", "run", "--run", run.folder, fails=True)
    assert "was told that run" in said and content["pinned"]["catalogue"] in said


def test_a_first_round_begins_with_the_adapter_that_was_pinned(run: Run) -> None:
    asked(run, *of("u07"))
    exchange_first_adapter(run)
    content = read_json(run.folder / "config.json")
    content["pinned"]["initial"] = None
    write_json(run.folder / "config.json", content)
    assert "and now over nothing" in call("forget", "run", "--run", run.folder, fails=True)
    for name in run.clients:
        with pytest.raises(FedrecError, match="first adapter of a run never change"):
            run.client(name).check_first([opened(run).initial])


def test_a_run_can_be_held_to_what_another_was_over(tmp_path: Path, run: Run, small: Callable[..., dict]) -> None:
    settings = small(shards=1, federation__rounds=0)
    pins = run.config.pinned.model_dump()
    with pytest.raises(FedrecError, match=r"pinned\.catalogue: [0-9a-f]{64} was asked for"):
        fedrec.simulate(settings={**settings, "pinned": {**pins, "catalogue": "0" * 64}}, out=tmp_path / "other")
    assert not (tmp_path / "other" / "config.json").exists()
