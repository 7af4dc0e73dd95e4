"""The whole federation in this process: every strategy, faults, partial participation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clients.app import app as client_app
from clients.client import Client
from experiments.bad_replies import BAD_REPLIES, Arrays, Corrupting, Metrics, Wire
from fedrec.config import load
from fedrec.errors import FedrecError
from fedrec.protocol.adapters import ANSWERS, KNOWN
from fedrec.protocol.answers import TrainAnswer
from fedrec.registry import STRATEGIES
from server import federation, prepare, public_facts
from server.launch import simulate
from server.simulated_run import SimulatedRun, open_run
from server.training import run_rounds
from server.transports.in_process import LocalGrid
from tests.conftest import TITLES, Settings


def made(folder: Path, settings: dict[str, Any]) -> SimulatedRun:
    return prepare.prepare(load(overrides=settings), folder)


def ran(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    run = made(folder, settings)
    simulate(run)
    return result_of(run)


def result_of(run: SimulatedRun) -> dict[str, Any]:
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
    assert {"auc", "mean_auc", "worst_auc", "std_auc", "uauc", "logloss"} <= result["overall"].keys()
    assert result["trivial"].keys() == {"item", "user", "sum", "counts", "effects"}
    assert result["bytes_up"] > 0 < result["bytes_down"]
    assert not any(entry["dropped"] for entry in result["history"])
    assert (tmp_path / "run" / "report.html").stat().st_size > 1000


@pytest.mark.parametrize(("sharing", "known"), [("histogram", True), ("metrics", False)])
def test_clients_that_tell_less_of_their_scores_train_the_same_and_the_error_is_said(
    sharing: str, known: bool, tmp_path: Path, small: Settings, plain: dict[str, Any]
) -> None:
    result = ran(tmp_path / "run", small() | {"evaluate.sharing": sharing})
    assert result["adapter_hash"] == plain["adapter_hash"]
    overall, exact = result["overall"], plain["overall"]
    for name in ("uauc", "uauc_margin", "uauc_at_split", "uauc_at_split_margin"):
        assert overall[name] == pytest.approx(exact[name], rel=1e-9)  # nobody here has rows at two clients
    assert ("auc_margin" in overall) == known
    if known:
        assert overall["auc_margin"] == pytest.approx(exact["auc_margin"], rel=0.25)  # 24 people, and 200 draws
        assert abs(overall["auc"] - exact["auc"]) <= overall["auc_error"] + 1e-9 < 0.05
        assert abs(overall["logloss"] - exact["logloss"]) <= overall["logloss_error"] + 1e-9 < 0.005
    else:
        assert "auc" not in overall and overall["logloss"] == pytest.approx(exact["logloss"])
    said = "from the clients' histograms" if known else "AUC over all rows is not known"
    assert [said in note for note in result["notes"]].count(True) == 1
    assert not any("over all rows" in note for note in plain["notes"])


def test_too_few_nodes_are_one_clear_line_and_a_run_goes_on_with_enough(
    tmp_path: Path, small: Settings, plain: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.handshake._PATIENCE", 0.1)
    run = made(tmp_path / "run", small())
    with pytest.raises(FedrecError, match=r"has 3 clients but 2 nodes are connected: start 3 \(flwr run: .*=3\)"):
        run_rounds(LocalGrid(client_app, run.nodes()[:2]), run)
    run_rounds(LocalGrid(client_app, run.nodes()), run)
    assert result_of(run)["adapter_hash"] == plain["adapter_hash"]


@pytest.fixture(scope="module")
def easy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of 150 people with 15 ratings each, who all like the same half of the titles, but for every 20th answer."""
    random = np.random.default_rng(1)
    lines = ["user,item,rating,timestamp,title"]
    for user in range(150):
        for when, item in enumerate(random.permutation(len(TITLES))[:15]):
            liked = any(word in TITLES[item] for word in ("red", "old")) ^ (random.random() < 0.05)
            lines.append(f"u{user:02d},i{item},{5 if liked else 1},{1000 * user + 10 * when},{TITLES[item]}")
    path = tmp_path_factory.mktemp("easy") / "ratings.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_rounds_teach_what_there_is_to_learn(strategy: str, tmp_path: Path, small: Settings, easy: Path) -> None:
    taught = small(data__path=str(easy), strategy=strategy, federation__rounds=3, train__lr=0.01, lora__rank=4)
    history = ran(tmp_path / "run", taught | {"train.epochs": 4})["history"]
    before, after = history[0]["overall"], history[-1]["overall"]
    assert before["auc"] < 0.6
    assert after["auc"] > 0.8
    assert after["worst_auc"] > 0.75


def test_strategies_differ_and_equal_runs_are_equal(tmp_path: Path, small: Settings, plain: dict[str, Any]) -> None:
    assert ran(tmp_path / "again", small())["adapter_hash"] == plain["adapter_hash"]
    hashes = {s: ran(tmp_path / s, small(strategy=s))["adapter_hash"] for s in ("fedavg", "fedprox", "ditto", "local")}
    assert len({plain["adapter_hash"], *hashes.values()}) == 5


def test_a_shard_is_the_same_alone_as_in_company(tmp_path: Path, small: Settings) -> None:
    """Nothing flows between shards: with the users of one shard taken away, the other's adapters stay as they are."""
    from fedrec.data.user_hash import by_hash

    both = made(tmp_path / "both", small(shards=2))
    alone = made(tmp_path / "alone", small(shards=2))
    for name in alone.clients:
        home, rows = alone.homes[name], alone.rows_of(name)
        home.vault_path.unlink()
        home.write_interactions(rows.take(by_hash(rows.user_ids, 2, "42")[rows.user] == 0), alone.catalogue)
    for run in (both, alone):
        simulate(run)
    for name in both.clients:
        ours, theirs = (run.client(name).ensemble.named() for run in (both, alone))
        assert ours[0] == theirs[0]
        assert ours[1] != theirs[1]


@pytest.mark.parametrize("kind", ["nan", "error reply"])  # tests/server/test_replies.py has every kind
def test_a_bad_reply_is_dropped_and_named_and_poisons_nothing(kind: str, tmp_path: Path, small: Settings) -> None:
    run = made(tmp_path / "run", small(federation__rounds=1))
    run_rounds(LocalGrid(Corrupting(BAD_REPLIES[kind]), run.nodes()), run)  # type: ignore[arg-type]
    entry = result_of(run)["history"][1]
    assert entry["participants"] == ["client-0", "client-2"]
    assert [drop["client"] for drop in entry["dropped"]] == ["client-1"]
    assert entry["dropped"][0]["reason"]
    assert "\n" not in entry["dropped"][0]["reason"]
    for model in run.rounds.models(1).values():
        for state in model:
            assert all(np.isfinite(array).all() and np.abs(array).max() < 10 for array in state.values())


@pytest.mark.parametrize("strategy", ["pplr", "fedavg"])
def test_who_does_not_say_what_its_rows_are_of_is_named_and_ends_nothing(
    strategy: str, tmp_path: Path, small: Settings
) -> None:
    def silent(arrays: Arrays, metrics: Metrics) -> Wire:
        return {name: array for name, array in arrays.items() if not name.endswith(ANSWERS)}, metrics

    run = made(tmp_path / "run", small(federation__rounds=2, items__rank=2, strategy=strategy))
    run_rounds(LocalGrid(Corrupting(silent), run.nodes()), run)  # type: ignore[arg-type]
    last = result_of(run)["history"][2]
    assert last["participants"] == ["client-0", "client-2"]
    assert "says nothing of how many answers" in last["dropped"][0]["reason"]
    (known,) = (model[0][KNOWN] for name, model in run.rounds.models(2).items() if name == "client-0")
    assert known.min() > 0


@pytest.mark.parametrize(
    "fault", [MemoryError(), OverflowError("int too large")], ids=lambda fault: type(fault).__name__
)
def test_whatever_fails_while_a_reply_is_checked_drops_that_reply_alone(
    fault: Exception, tmp_path: Path, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, right = made(tmp_path / "run", small(federation__rounds=1)), federation.check

    def failing(reply: TrainAnswer, **given: Any) -> TrainAnswer:
        if reply.client == "client-1":
            raise fault
        return right(reply, **given)

    monkeypatch.setattr(federation, "check", failing)
    simulate(run)
    entry = result_of(run)["history"][1]
    assert entry["participants"] == ["client-0", "client-2"]
    assert [drop["client"] for drop in entry["dropped"]] == ["client-1"]
    assert f"it cannot be read: {type(fault).__name__}" in entry["dropped"][0]["reason"]


def test_a_round_without_enough_good_replies_leaves_the_models(tmp_path: Path, small: Settings) -> None:
    run = made(tmp_path / "run", small(federation__rounds=1, federation__min_replies=3))
    run_rounds(LocalGrid(Corrupting(BAD_REPLIES["nan"]), run.nodes()), run)  # type: ignore[arg-type]
    last = result_of(run)["history"][-1]
    assert "2 good replies, 3 needed" in last["skipped"]
    initial = run.initial
    for model in run.rounds.models(1).values():
        assert all(np.array_equal(model[0][key], initial[key]) for key in initial)


@pytest.mark.parametrize("work", ["train", "measure"])
def test_a_round_in_which_all_fail_for_one_reason_is_an_error_and_is_gone_on_with(
    work: str, plain: dict[str, Any], tmp_path: Path, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, right = made(tmp_path / "run", small()), getattr(Client, work)

    def broken(self: Client, number: int, *rest: Any) -> Any:
        if number == 2:
            raise RuntimeError(f"{self.name}: no space left")
        return right(self, number, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Client, work, broken)
        with pytest.raises(FedrecError, match=r"round 2: every client fails \(.*no space left\)") as caught:
            simulate(run)
    assert "\n" not in str(caught.value)
    assert run.rounds.last() == 1
    simulate(run)
    assert result_of(run)["adapter_hash"] == plain["adapter_hash"]


def test_a_client_that_fails_alone_stops_nobody(
    tmp_path: Path, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where it is the only one that was asked."""

    def broken(self: Client, number: int, *_: Any) -> Any:
        raise RuntimeError("no space left")

    monkeypatch.setattr(Client, "train", broken)
    result = ran(tmp_path / "run", small(federation__fraction=0.1))
    assert all("0 good replies" in entry["skipped"] for entry in result["history"][1:])


def test_partial_participation_and_k_of_n(tmp_path: Path, small: Settings) -> None:
    half = ran(tmp_path / "half", small(clients__count=4, federation__fraction=0.5))
    assert [len(entry["participants"]) for entry in half["history"][1:]] == [2, 2]
    over = ran(tmp_path / "over", small(clients__count=4, federation__fraction=0.5, federation__oversample=1))
    for entry in over["history"][1:]:
        assert (len(entry["asked"]), len(entry["participants"])) == (3, 2)
        assert not entry["dropped"]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_clients_by_taste_in_both_precisions(precision: str, tmp_path: Path, small: Settings) -> None:
    run = made(tmp_path / "run", small(clients__by="kmeans", clients__count=2, train__precision=precision))
    simulate(run)
    tastes = [{int(user[1:]) % 2 for user in run.rows_of(name).user_ids} for name in run.clients]
    assert tastes in ([{0}, {1}], [{1}, {0}])  # the people who like what the others do not


class Dead(Exception):
    pass


def test_preparation_killed_in_the_middle_is_done_again(
    tmp_path: Path, small: Settings, monkeypatch: pytest.MonkeyPatch, plain: dict[str, Any]
) -> None:
    def die(*_: object) -> None:
        raise Dead

    with monkeypatch.context() as patched:
        patched.setattr(public_facts, "save_peft", die)
        with pytest.raises(Dead):
            made(tmp_path / "run", small())
    run = prepare.finish(open_run(tmp_path / "run"))
    simulate(run)
    assert result_of(run)["adapter_hash"] == plain["adapter_hash"]


def test_no_client_folder_names_another_clients_people(tmp_path: Path, small: Settings) -> None:
    run = made(tmp_path / "run", small())
    people = [set(run.rows_of(name).user_ids) for name in run.clients]
    assert sum(map(len, people)) == len(set.union(*people)) == 24
    public = [run.folder / name for name in ("catalogue.json", "reference.json", "config.json")]
    assert not any("u07" in path.read_text() for path in public)
