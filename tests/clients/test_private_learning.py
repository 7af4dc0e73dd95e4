"""A federation under DP-SGD: from the settings to what the result says, with rows that stay where they are."""

from __future__ import annotations

import json

import numpy as np
import pytest

from clients.client import Client
from fedrec.config import load, parse
from fedrec.errors import FedrecError, UsageError
from fedrec.privacy.accounting import epsilon_of
from fedrec.privacy.ledger import LEDGER, PrivacyLedger
from fedrec.protocol.adapters import ITEM_ROWS, ITEMS_A
from server.simulated_run import SimulatedRun
from tests.conftest import Settings
from tests.server.test_federated_executor import asked, execution, of, trained

PRIVATE = {"privacy__epsilon": 20.0, "privacy__sample_rate": 1.0, "privacy__clip": 0.1, "shards": 2, "items__rank": 2}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> SimulatedRun:
    settings = small(**PRIVATE, privacy__retrainings=1, train__epochs=1, aggregator="average-nd")
    return trained(tmp_path_factory.mktemp("private") / "run", settings)


def ledger(run: SimulatedRun, client: str) -> PrivacyLedger:
    return PrivacyLedger(run.homes[client].folder / LEDGER)


def test_a_budget_alone_is_a_whole_configuration() -> None:
    config = load(sets=("privacy.epsilon=8",))
    assert config.privacy.unit == "person"
    assert (config.train.stop, config.items.share) == ("never", "none")
    assert not config.section("pplr", type(config.pplr)).heating  # type: ignore[attr-defined]
    assert parse(json.loads(config.model_dump_json())) == config
    assert load(sets=("privacy.clip=2",)).privacy.unit == "none"


@pytest.mark.parametrize(
    ("sets", "why"),
    [
        (("privacy.unit=none",), "protects nobody"),
        (("train.stop=validation",), "train.stop = never"),
        (("items.share=all",), "items.share = none"),
        (("items.share=all", "train.item_lr=0", "items.average=answers"), "items.average = all"),
        (("split.head=1",), "split.head = 0"),
        (("strategy=ditto",), "use fedavg or pplr"),
        (("strategy=fedavg", "baselines=['ditto']"), "use fedavg or pplr"),
        (("pplr.heating=true",), "pplr.heating = false"),
    ],
)
def test_what_would_break_the_promise_is_refused_with_the_mend(sets: tuple[str, ...], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        load(sets=("privacy.epsilon=8", *sets))


def test_a_unit_promises_nothing_without_a_budget_or_noise() -> None:
    with pytest.raises(UsageError, match=r"privacy\.epsilon"):
        load(sets=("privacy.unit=row",))


def test_the_result_says_what_each_client_spent_on_each_shard(run: SimulatedRun) -> None:
    told, privacy = run.result["privacy"], run.config.privacy
    assert (told["unit"], told["epsilon"], told["delta"]) == ("person", 20.0, 1e-5)
    assert told["noise"] == privacy.noise > 0  # as much as two rounds and their retraining need
    assert told["spent"].keys() == {*run.clients}
    for client, shards in told["spent"].items():
        for shard, spent in shards.items():
            taken = ledger(run, client).spent(run.id, int(shard))
            assert taken == ([(privacy.noise, 1.0, 2)] if spent else [])
            assert spent == epsilon_of(taken, privacy) < 20.0
    assert max(max(shards.values()) for shards in told["spent"].values()) > 5


def test_neither_losses_nor_item_rows_leave_a_client_and_rows_answer_there(run: SimulatedRun) -> None:
    assert all(not any((entry["train_loss"] or {}).values()) for entry in run.result["history"][1:])
    for model in run.rounds.models(2).values():
        assert not any(key in state for state in model for key in ITEM_ROWS)
    held = [client.ensemble.adapters() for client in map(run.client, run.clients)]
    assert any(len(state[ITEMS_A]) for states in held for state in states.values())


def test_layers_learn_as_if_there_were_no_item_rows(run: SimulatedRun) -> None:
    """A row is of many people's answers: were it read in training, one person's would be in everybody's gradient."""
    client = Client(run.client(run.clients[0]))
    begin = [{key: array for key, array in run.initial.items() if key not in ITEM_ROWS}] * 2
    first = client.train(1, begin, (0, 1))
    again = client.train(1, begin, (0, 1))
    for one, other in zip(first.adapters, again.adapters, strict=True):
        assert all(np.array_equal(one[key], other[key]) for key in one)
    assert first.loss == (0.0, 0.0)


def test_forgetting_trains_again_within_the_budget(run: SimulatedRun, small: Settings) -> None:
    before = run.result["privacy"]["spent"]
    asked(run, *of("u07"))
    execution(run).run()
    after = SimulatedRun(run.folder).result["privacy"]["spent"]
    grown = [(c, s) for c in after for s in after[c] if after[c][s] > before[c][s]]
    assert {shard for _, shard in grown} == {run_shard(run)}
    assert max(max(shards.values()) for shards in after.values()) <= 20.0


def run_shard(run: SimulatedRun) -> str:
    from fedrec.data.user_hash import shard_of

    return str(shard_of(["u07"], run.config)[0])


def test_a_clients_own_policy_refuses_a_weaker_promise(run: SimulatedRun) -> None:
    path = run.homes["client-1"].folder / "client.toml"
    text = path.read_text()
    try:
        path.write_text(text.replace("# epsilon =", "epsilon = 3 #"))
        with pytest.raises(FedrecError, match="epsilon <= 3"):
            Client(SimulatedRun(run.folder).client("client-1")).agrees()
    finally:
        path.write_text(text)
