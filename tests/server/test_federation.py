"""The whole federation in this process: every strategy, faults, partial participation, kill and resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict

from clients.app import app as client_app
from fedrec import messages
from fedrec.config import load
from fedrec.errors import FedrecError
from fedrec.store import Run, open_run
from server import prepare
from server.grid import LocalGrid
from server.simulation import run_rounds, simulate
from server.strategies import STRATEGIES
from tests.conftest import Settings
from tests.server.bad_replies import BAD_REPLIES


def made(folder: Path, settings: dict[str, Any]) -> Run:
    return prepare.prepare(load(overrides=settings), folder)


def ran(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    run = made(folder, settings)
    simulate(run, workers=0)
    return result_of(run)


def result_of(run: Run) -> dict[str, Any]:
    return json.loads((run.folder / "result.json").read_text())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> dict[str, Any]:
    return ran(tmp_path_factory.mktemp("plain") / "run", small())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_runs_and_reports(strategy: str, tmp_path: Path, small: Settings) -> None:
    result = ran(tmp_path / "run", small(strategy=strategy))
    assert result["strategy"] == strategy
    assert [client["id"] for client in result["clients"]] == ["client-0", "client-1", "client-2"]
    assert result["overall"]["examples"] == sum(client["examples"] for client in result["clients"]) > 0
    assert [entry["round"] for entry in result["history"]] == [0, 1, 2]
    assert all(0 <= client["auc"] <= 1 for client in result["clients"])
    assert {"auc", "mean_auc", "worst_auc", "std_auc", "uauc", "logloss"} <= result["overall"].keys()
    assert result["trivial"].keys() == {"item", "user", "sum"}
    assert result["bytes_up"] > 0 < result["bytes_down"]
    assert not any(entry["dropped"] for entry in result["history"])
    assert (tmp_path / "run" / "report.html").stat().st_size > 1000


def test_strategies_differ_and_equal_runs_are_equal(tmp_path: Path, small: Settings, plain: dict[str, Any]) -> None:
    assert ran(tmp_path / "again", small())["adapter_hash"] == plain["adapter_hash"]
    hashes = {s: ran(tmp_path / s, small(strategy=s))["adapter_hash"] for s in ("fedavg", "fedprox", "ditto", "local")}
    assert len({plain["adapter_hash"], *hashes.values()}) == 5


def test_a_shard_is_the_same_alone_as_in_company(tmp_path: Path, small: Settings) -> None:
    """Nothing flows between shards: with the users of one shard taken away, the other's adapters stay as they are."""
    from fedrec.data.shards import by_hash

    both = made(tmp_path / "both", small(shards=2))
    alone = made(tmp_path / "alone", small(shards=2))
    for name in alone.clients:
        store = alone.client(name)
        rows = store.interactions()
        (store.folder / "vault.db").unlink()
        store.write_interactions(rows.take(by_hash(rows.user_ids, 2, "42")[rows.user] == 0))
    for run in (both, alone):
        simulate(run, workers=0)
    for name in both.clients:
        ours, theirs = (run.client(name).manifest["shards"] for run in (both, alone))
        assert ours[0]["sha256"] == theirs[0]["sha256"]
        assert ours[1]["sha256"] != theirs[1]["sha256"]


class Corrupting:
    """The real client app, whose replies to training one client spoils."""

    def __init__(self, spoil: Any, client: str = "client-1") -> None:
        self.spoil, self.client = spoil, client

    def __call__(self, message: Message, context: Context) -> Message:
        reply = client_app(message, context)
        if message.metadata.message_type != messages.TRAIN:
            return reply
        facts = dict(reply.content[messages.CONFIG])
        if facts["client"] != self.client:
            return reply
        arrays = {name: array.numpy() for name, array in reply.content[messages.ARRAYS].items()}
        arrays, metrics = self.spoil(arrays, {**reply.content[messages.METRICS], **facts})
        told = {key: value for key, value in metrics.items() if isinstance(value, str)}
        numbers = {key: value for key, value in metrics.items() if not isinstance(value, str)}
        content = RecordDict({messages.CONFIG: ConfigRecord(told), messages.METRICS: MetricRecord(numbers)})
        content[messages.ARRAYS] = ArrayRecord({str(name): Array(np.asarray(a)) for name, a in arrays.items()})
        return Message(content, reply_to=message)


@pytest.mark.parametrize("kind", BAD_REPLIES)
def test_a_bad_reply_is_dropped_and_named_and_poisons_nothing(kind: str, tmp_path: Path, small: Settings) -> None:
    run = made(tmp_path / "run", small(federation__rounds=1))
    run_rounds(LocalGrid(Corrupting(BAD_REPLIES[kind]), 3), run)  # type: ignore[arg-type]
    entry = result_of(run)["history"][1]
    assert entry["participants"] == ["client-0", "client-2"]
    assert [drop["client"] for drop in entry["dropped"]] == ["client-1"]
    assert entry["dropped"][0]["reason"]
    assert "\n" not in entry["dropped"][0]["reason"]
    for model in run.rounds.models(1).values():
        for state in model:
            assert all(np.isfinite(array).all() and np.abs(array).max() < 10 for array in state.values())


def test_a_round_without_enough_good_replies_leaves_the_models(tmp_path: Path, small: Settings) -> None:
    run = made(tmp_path / "run", small(federation__rounds=1, federation__min_replies=3))
    run_rounds(LocalGrid(Corrupting(BAD_REPLIES["nan"]), 3), run)  # type: ignore[arg-type]
    last = result_of(run)["history"][-1]
    assert "2 good replies, 3 needed" in last["skipped"]
    initial = prepare.initial_of(run)
    for model in run.rounds.models(1).values():
        assert all(np.array_equal(model[0][key], initial[key]) for key in initial)


def test_partial_participation_and_k_of_n(tmp_path: Path, small: Settings) -> None:
    half = ran(tmp_path / "half", small(clients__count=4, federation__fraction=0.5))
    assert [len(entry["participants"]) for entry in half["history"][1:]] == [2, 2]
    over = ran(tmp_path / "over", small(clients__count=4, federation__fraction=0.5, federation__oversample=1))
    for entry in over["history"][1:]:
        assert (len(entry["asked"]), len(entry["participants"])) == (3, 2)
        assert not entry["dropped"]


class Dead(Exception):
    pass


class Dying:
    """The real client app in a process that dies at its n-th message."""

    def __init__(self, alive: int) -> None:
        self.alive = alive

    def __call__(self, message: Message, context: Context) -> Message:
        self.alive -= 1
        if self.alive < 0:
            raise KeyboardInterrupt
        return client_app(message, context)


@pytest.mark.parametrize("strategy", ["pplr", "ditto"])
@pytest.mark.parametrize("alive", [0, 3, 5, 7, 10, 13])
def test_a_killed_run_resumes_to_the_same_hash(strategy: str, alive: int, tmp_path: Path, small: Settings) -> None:
    whole = ran(tmp_path / "whole", small(strategy=strategy))
    run = made(tmp_path / "killed", small(strategy=strategy))
    with pytest.raises(KeyboardInterrupt):
        run_rounds(LocalGrid(Dying(alive), 3), run)  # type: ignore[arg-type]
    again = open_run(run.folder)
    simulate(prepare.finish(again), workers=0)
    assert result_of(again)["adapter_hash"] == whole["adapter_hash"]
    simulate(again, workers=0)  # a finished run has nothing left to do
    assert result_of(again)["adapter_hash"] == whole["adapter_hash"]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_clients_by_taste_in_both_precisions(precision: str, tmp_path: Path, small: Settings) -> None:
    run = made(tmp_path / "run", small(clients__by="kmeans", clients__count=2, train__precision=precision))
    simulate(run, workers=0)
    tastes = [{int(user[1:]) % 2 for user in run.client(name).interactions().user_ids} for name in run.clients]
    assert tastes in ([{0}, {1}], [{1}, {0}])  # the people who like what the others do not


def test_preparation_killed_in_the_middle_is_done_again(
    tmp_path: Path, small: Settings, monkeypatch: pytest.MonkeyPatch, plain: dict[str, Any]
) -> None:
    def die(*_: object) -> None:
        raise Dead

    with monkeypatch.context() as patched:
        patched.setattr(prepare, "save_peft", die)
        with pytest.raises(Dead):
            made(tmp_path / "run", small())
    run = prepare.finish(open_run(tmp_path / "run"))
    simulate(run, workers=0)
    assert result_of(run)["adapter_hash"] == plain["adapter_hash"]


def test_too_few_nodes_is_one_clear_line(tmp_path: Path, small: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.meeting._PATIENCE", 0.1)
    run = made(tmp_path / "run", small())
    with pytest.raises(FedrecError, match=r"3 clients but 2 nodes.*num-supernodes=3"):
        run_rounds(LocalGrid(client_app, 2), run)


def test_no_client_folder_names_another_clients_people(tmp_path: Path, small: Settings) -> None:
    run = made(tmp_path / "run", small())
    people = [set(run.client(name).interactions().user_ids) for name in run.clients]
    assert sum(map(len, people)) == len(set.union(*people)) == 24
    public = [run.folder / name for name in ("catalogue.json", "reference.json", "config.json")]
    assert not any("u07" in path.read_text() for path in public)
