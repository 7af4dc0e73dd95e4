"""Central differential privacy: the server cuts clients' updates, noises their mean, and has a ledger of that."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedrec.config import RunConfig, load, parse
from fedrec.data.user_hash import shard_of
from fedrec.errors import FedrecError, UsageError
from fedrec.privacy.accounting import epsilon_of
from fedrec.privacy.ledger import LEDGER
from fedrec.privacy_settings import EVERY, WHOLE
from fedrec.protocol.adapters import ITEM_ROWS, State
from fedrec.strategies.columns import distance
from fedrec.strategies.strategy import Trained
from server.launch import simulate
from server.release_ledger import ReleaseLedger, begin_retraining
from server.releases import SPENT, Releases
from server.rounds import Entry, Rounds
from server.simulated_run import SimulatedRun
from tests.conftest import Settings
from tests.server.test_federated_executor import asked, execution, of, trained


@dataclass(frozen=True)
class Stub:
    """As much of a run as releases need."""

    config: RunConfig
    folder: Path
    id: str = "stub"

    def releases(self, number: int = 1, shards: tuple[int, ...] = (0,), then: str = "rounds") -> Releases:
        return Releases(self, Rounds(self.folder / then), number, shards)  # type: ignore[arg-type]


Stubbed = Callable[..., Stub]


@pytest.fixture
def stub(tmp_path: Path) -> Stubbed:
    def made(**said: Any) -> Stub:
        privacy = {"unit": "client", "noise": 1.0} | said
        return Stub(parse({"strategy": "fedavg", "privacy": privacy, "shards": 2}), tmp_path)

    return made


START: State = {"x.A": np.zeros((20, 50), np.float32)}


def sent(rows: Mapping[str, int], length: float = 5.0) -> list[Trained]:
    """Updates of one length, each in a direction of its own."""
    found = []
    for place, (client, count) in enumerate(rows.items()):
        array = START["x.A"].copy()
        array[place] = length / np.sqrt(array.shape[1])
        found.append(Trained(client, {"x.A": array}, 0.0, count))
    return found


def mean_of(releases: Releases, replies: list[Trained], shard: int = 0) -> State:
    states = {each.client: START for each in replies} | {"absent": START}
    aggregate = releases.aggregate(shard, replies, states, START)
    assert aggregate is not None and aggregate.states.keys() == states.keys()
    assert len({id(each) for each in aggregate.states.values()}) == 1
    return next(iter(aggregate.states.values()))


def test_without_noise_and_with_an_endless_bound_it_is_fedavg_bit_for_bit(stub: Stubbed) -> None:
    replies = sent({"a": 3, "b": 7, "c": 0})
    plain = Stub(parse({"strategy": "fedavg"}), stub().folder)
    mine = mean_of(stub(noise=0.0, clip=1e30).releases(), replies)
    assert np.array_equal(mine["x.A"], mean_of(plain.releases(), replies)["x.A"])
    assert stub().releases().spent() == {EVERY: {"0": None}, WHOLE: {"all": None}}


def test_updates_are_cut_each_by_itself_and_noise_is_of_the_most_that_one_counts(stub: Stubbed) -> None:
    replies = sent({"a": 1, "b": 3})
    bare = mean_of(stub(noise=0.0, clip=2.0).releases(), replies)
    assert np.linalg.norm(bare["x.A"][0]) == pytest.approx(0.25 * 2, rel=1e-5)
    assert np.linalg.norm(bare["x.A"][1]) == pytest.approx(0.75 * 2, rel=1e-5)
    drawn = mean_of(stub(noise=0.5, clip=2.0).releases(), replies)["x.A"] - bare["x.A"]
    assert drawn.std() == pytest.approx(0.5 * 2 * 0.75, rel=0.1)


@pytest.mark.parametrize("rows", [{"a": 5}, {"a": 0, "b": 0}, {"a": 2, "b": 0}])
def test_missing_clients_and_empty_shards_are_noised_like_all(rows: dict[str, int], stub: Stubbed) -> None:
    length = 0.0 if not any(rows.values()) else 1.0  # without rows a client sends what it was sent
    mean = mean_of(stub(noise=2.0, clip_quantile=0.5).releases(), sent(rows, length))
    most = 0.5 if rows == {"a": 0, "b": 0} else 1.0
    assert mean["x.A"].std() == pytest.approx(2.0 * most / np.sqrt(0.9), rel=0.1)


def test_the_same_again_draws_the_same_and_pays_once_and_anything_else_anew(stub: Stubbed) -> None:
    run, replies = stub(epsilon=50.0), sent({"a": 3, "b": 3})

    def paid() -> int:
        return sum(count for *_, count in ReleaseLedger(run.folder).spent(run.id, 0))

    first, again = (mean_of(run.releases(), replies)["x.A"] for _ in range(2))
    assert np.array_equal(first, again) and paid() == 1
    fewer = mean_of(run.releases(), replies[:1])["x.A"]
    assert not np.allclose(fewer[5:], first[5:], atol=0.1) and paid() == 2


def test_a_retraining_draws_anew_though_nothing_else_has_changed(stub: Stubbed) -> None:
    """Were it the same where the erased rows did not matter, that it is would tell so."""
    run, replies = stub(), sent({"a": 3, "b": 3})
    first = mean_of(run.releases(), replies)["x.A"]
    begin_retraining(run, [0], "batch-1")  # type: ignore[arg-type]
    second = mean_of(run.releases(then="again"), replies)["x.A"]
    begin_retraining(run, [0], "batch-1")  # type: ignore[arg-type]  # broken off, and gone on with
    third = mean_of(run.releases(then="once more"), replies)["x.A"]
    assert np.array_equal(second, third)
    assert not np.allclose(first, second, atol=0.1)
    assert sum(count for *_, count in ReleaseLedger(run.folder).spent(run.id, 0)) == 2


def test_no_release_passes_the_budget_and_one_that_was_paid_for_is_made_again(stub: Stubbed) -> None:
    one, two = (epsilon_of([(1.0, 1.0, count)], stub(epsilon=9.0).config.privacy) for count in (1, 2))
    run, replies = stub(epsilon=(one + two) / 2), sent({"a": 3, "b": 3})
    assert run.releases(shards=(0, 1)).affordable() == [0, 1]
    mean_of(run.releases(), replies)
    assert run.releases(shards=(0, 1)).affordable() == [0, 1]  # as after a kill, before the round was written
    assert run.releases().aggregate(0, replies[:1], {"a": START}, START) is None  # other replies are another release
    Rounds(run.folder / "rounds").write({}, Entry(round=1))
    assert run.releases(2, shards=(0, 1)).affordable() == [1]
    assert run.releases(2).spent() == {EVERY: {"0": pytest.approx(one)}, WHOLE: {"all": pytest.approx(one)}}


def test_a_client_as_a_whole_pays_for_all_its_shards(stub: Stubbed) -> None:
    run = stub()
    for shard in (0, 1):
        mean_of(run.releases(shards=(0, 1)), sent({"a": 3}), shard)
    told = run.releases(shards=(0, 1)).spent()
    one, two = (epsilon_of([(1.0, 1.0, count)], run.config.privacy) for count in (1, 2))
    assert told == {EVERY: {"0": pytest.approx(one), "1": pytest.approx(one)}, WHOLE: {"all": pytest.approx(two)}}


def test_the_bound_follows_the_updates_from_round_to_round(stub: Stubbed) -> None:
    run = stub(noise=0.0, clip=1.0, clip_quantile=0.5)
    for number in range(1, 4):
        releases = run.releases(number)
        mean_of(releases, sent({"a": 1, "b": 1}))
        Rounds(run.folder / "rounds").write({}, Entry(round=number, clip=releases.told()))
    assert run.releases(4).clips == {0: pytest.approx(np.exp(0.2 * 0.5 * 3))}


@pytest.mark.parametrize(
    ("sets", "why"),
    [
        (("strategy=pplr",), "likeness of single updates"),
        (("strategy=ditto",), "personal models"),
        (("strategy=local",), "nothing is summed"),
        (("strategy=central",), "nothing is summed"),
        (("baselines=['pplr']",), "likeness of single updates"),
        (("items.share=all",), "items.share = none"),
        (("privacy.sample_rate=0.5",), r"federation\.fraction"),
        (("privacy.unit=person", "privacy.clip_quantile=0.5", "strategy=fedavg"), "clip_quantile is of clients"),
    ],
)
def test_what_cannot_hold_is_refused_with_the_mend(sets: tuple[str, ...], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        load(sets=("privacy.unit=client", "privacy.epsilon=8", "strategy=fedavg", *sets))


def test_what_is_left_open_is_set_so_that_it_holds_and_clients_train_as_ever() -> None:
    config = load(sets=("privacy.unit=client", "privacy.epsilon=8", "strategy=fedavg"))
    assert (config.items.share, config.privacy.sample_rate, config.train.stop) == ("none", 1.0, "validation")
    load(sets=("privacy.unit=client", "privacy.epsilon=8", "strategy=fedprox", "items.rank=0", "items.share=all"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> SimulatedRun:
    settings = small(strategy="fedavg", shards=2, items__rank=2, train__epochs=1, aggregator="average-nd")
    private = {"privacy.unit": "client", "privacy.epsilon": 20.0, "privacy.retrainings": 1, "privacy.clip": 0.3}
    private |= {"privacy.clip_quantile": 0.5}
    return trained(tmp_path_factory.mktemp("central") / "run", settings | private)


def test_the_result_says_what_was_spent_and_rows_and_losses_stay(run: SimulatedRun) -> None:
    told, privacy = run.result["privacy"], run.config.privacy
    assert privacy.noise is not None and told["noise"] == privacy.noise > 0
    steps = ReleaseLedger(run.folder).spent(run.id, 0)
    assert steps == [(privacy.noise, 1.0, 2)]
    assert told["spent"][EVERY] == dict.fromkeys("01", epsilon_of(steps, privacy))
    assert 5 < told["spent"][EVERY]["0"] < told["spent"][WHOLE]["all"] <= 20.0 * 1.01
    assert not any(value for entry in run.result["history"] for value in entry.get("train_loss", {}).values())
    models = run.rounds.models(2)
    assert not any(key in state for model in models.values() for state in model for key in ITEM_ROWS)
    assert distance(*(models[name][0] for name in run.clients[:2])) == 0
    assert run.rounds.entry(2).clip != run.rounds.entry(1).clip != {"0": 0.3, "1": 0.3}


def test_a_killed_run_goes_on_with_the_same_noise_and_pays_once(run: SimulatedRun, tmp_path: Path) -> None:
    killed = SimulatedRun(Path(shutil.copytree(run.folder, tmp_path / "run")))
    first = {name: [dict(state) for state in model] for name, model in killed.rounds.models(2).items()}
    (killed.folder / "result.json").unlink()
    shutil.rmtree(killed.folder / "rounds")
    simulate(killed)
    again = killed.rounds.models(2)
    assert all(distance(a, b) == 0 for name in first for a, b in zip(first[name], again[name], strict=True))
    assert killed.result["privacy"]["spent"] == run.result["privacy"]["spent"]


def test_forgetting_draws_noise_anew_pays_again_and_comes_out_the_same_a_second_time(
    run: SimulatedRun, tmp_path: Path
) -> None:
    copy = SimulatedRun(Path(shutil.copytree(run.folder, tmp_path / "run")))
    asked(copy, *of("u07"))
    replace(execution(copy), rederive=True).run()
    shard = str(shard_of(["u07"], copy.config)[0])
    before, after = (SimulatedRun(each.folder).result["privacy"]["spent"] for each in (run, copy))
    assert [key for key in "01" if after[EVERY][key] > before[EVERY][key]] == [shard]
    assert after[EVERY][shard] <= 20.0 and after[WHOLE]["all"] > before[WHOLE]["all"]
    assert ReleaseLedger(copy.folder).spent(copy.id, int(shard))[0][2] == 4
    assert len(list(copy.folder.glob(LEDGER))) == 1


def test_a_budget_for_one_round_ends_the_training_after_it_and_nobody_is_asked(tmp_path: Path, small: Settings) -> None:
    said = {"privacy.unit": "client", "privacy.epsilon": 6.0, "privacy.noise": 1.0}
    run = trained(tmp_path / "run", small(strategy="fedprox", train__epochs=1) | said)
    first, second = run.rounds.entry(1), run.rounds.entry(2)
    assert (first.skipped, second.skipped) == (None, SPENT)
    assert first.participants and not second.participants
    assert second.hashes is None and second.epsilon == first.epsilon


def test_a_client_that_wants_noise_of_its_own_takes_no_part(run: SimulatedRun) -> None:
    from clients.client import Client

    path = run.homes["client-1"].folder / "client.toml"
    text = path.read_text()
    try:
        path.write_text(text.replace("# epsilon =", "epsilon = 30 #"))
        with pytest.raises(FedrecError, match="the server sees its updates without any"):
            Client(SimulatedRun(run.folder).client("client-1")).agrees()
    finally:
        path.write_text(text)
