"""Sums under masks: the mean is FedAvg's, the server hears no update, and who drops out at any stage ends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Error, Message

from clients.app import app as client_app
from fedrec.config import load
from fedrec.errors import FedrecError, UsageError
from fedrec.protocol.adapters import Model
from fedrec.protocol.questions import Train
from fedrec.secure_aggregation.flat import flat
from fedrec.strategies.columns import distance
from server.calls import call, content_of
from server.integrity.retraining import Federation
from server.prepare import prepare
from server.rounds import Rounds
from server.simulated_run import SimulatedRun
from server.training import run_rounds
from server.transports.in_process import LocalGrid
from tests.conftest import Settings

SECURE = {"strategy": "fedavg", "federation.secure_aggregation": True, "clients.count": 4}


class Recording(LocalGrid):
    """Keeps everything that the server is sent; some clients fail at some kinds of question."""

    def __init__(self, run: SimulatedRun, failing: Callable[[str, int], bool] = lambda kind, place: False) -> None:
        super().__init__(client_app, run.nodes())
        self.failing, self.heard, self.kinds = failing, list[Message](), list[str]()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        self.asked = [*messages]
        return super().push_messages(self.asked)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        for reply in super().pull_messages(message_ids):
            kind = reply.metadata.message_type
            if self.failing(kind, sorted(self.get_node_ids()).index(reply.metadata.src_node_id)):
                reply = Message(Error(code=0, reason="it dropped out"), reply_to=self._question(reply))
            self.kinds.append(kind)
            self.heard.append(reply)
            yield reply

    def _question(self, reply: Message) -> Message:
        wanted = reply.metadata.reply_to_message_id
        return next(each for each in self.asked if each.metadata.message_id == wanted)


def made(folder: Path, settings: dict[str, object]) -> SimulatedRun:
    return prepare(load(overrides=settings), folder)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> SimulatedRun:
    settings = small(strategy="fedavg", train__epochs=1, shards=2, federation__rounds=1) | {"clients.count": 4}
    run = made(tmp_path_factory.mktemp("plain") / "run", settings | {"aggregator": "average-nd"})
    run_rounds(LocalGrid(client_app, run.nodes()), run)
    return run


@pytest.fixture(scope="module")
def masked(plain: SimulatedRun, tmp_path_factory: pytest.TempPathFactory) -> tuple[SimulatedRun, Recording]:
    tree = plain.config.model_dump()
    tree["federation"]["secure_aggregation"] = True
    run = made(tmp_path_factory.mktemp("masked") / "run", tree)
    grid = Recording(run)
    run_rounds(grid, run)
    return run, grid


def test_the_mean_is_that_of_plain_averaging_within_the_resolution(
    plain: SimulatedRun, masked: tuple[SimulatedRun, Recording]
) -> None:
    run, _ = masked
    for name in run.clients:
        for mine, theirs in zip(run.rounds.models(1)[name], plain.rounds.models(1)[name], strict=True):
            assert np.abs(flat(mine) - flat(theirs)).max() < 2e-7
            assert distance(mine, {key: run.initial[key] for key in mine}) > 1e-3
    entry = run.rounds.entry(1)
    assert entry.participants == [*run.clients] and not entry.dropped and not entry.train_loss


def test_the_server_hears_no_single_update(plain: SimulatedRun, masked: tuple[SimulatedRun, Recording]) -> None:
    """All that the grid brought the server is held against what each client would have sent in the clear."""
    run, grid = masked
    start = [{key: run.initial[key] for key in state} for state in run.rounds.models(1)[run.clients[0]]]
    updates = [
        np.concatenate([flat(new) - flat(old) for new, old in zip(sent(plain, name, start), start, strict=True)])
        for name in run.clients
    ]
    assert all(np.abs(update).max() > 1e-4 for update in updates)
    heard = [content_of(message) for message in grid.heard]
    arrays = [array for content in heard for array in content.arrays.values() if array.dtype == np.uint64]
    floats = [array for content in heard for array in content.arrays.values() if array.dtype == np.float32]
    assert len(arrays) == len(run.clients) and not floats
    assert set(grid.kinds) >= {"query.advertise", "query.shares", "train.masked", "query.reveal"}
    assert "train.lora" not in grid.kinds
    for update in updates:
        for array in arrays:
            told = array.view(np.int64) / 2.0**64
            assert abs(np.corrcoef(told, update)[0, 1]) < 6 / np.sqrt(len(update))
    for array in arrays:
        assert abs(float(np.mean(array / 2.0**64)) - 0.5) < 4 / np.sqrt(12 * len(array))


def sent(run: SimulatedRun, name: str, start: Model) -> Model:
    return run.client(name).replayed(1, start).adapters


@pytest.mark.parametrize(
    ("kind", "inside"),
    [("query.advertise", 3), ("query.shares", 3), ("train.masked", 3), ("query.reveal", 4)],
)
def test_who_drops_out_at_any_stage_ends_nothing(
    kind: str, inside: int, masked: tuple[SimulatedRun, Recording], tmp_path: Path
) -> None:
    run, _ = masked
    federation = Federation(Recording(run, lambda asked, place: asked == kind and place == 2), run)
    again = federation.retrain([0], Rounds(tmp_path / "rounds"), lambda: None)
    entry = Rounds(tmp_path / "rounds").entry(1)
    assert entry.skipped is None
    assert len(entry.participants or ()) == inside
    assert ["it dropped out" in each.reason for each in entry.dropped] == [True]
    states = [sent(run, name, [run_start(run)])[0] for name in entry.participants or ()] if inside == 3 else []
    if not states:
        assert distance(again["client-0"][0], run.rounds.models(1)["client-0"][0]) == 0  # sums know no order
        return
    rows = [sum_rows(run, name) for name in entry.participants or ()]
    mean = sum(n * flat(state) for n, state in zip(rows, states, strict=True)) / sum(rows)
    assert np.abs(flat(again["client-0"][0]) - mean).max() < 2e-7


def run_start(run: SimulatedRun) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    return {key: run.initial[key] for key in run.rounds.models(1)["client-0"][0]}


def sum_rows(run: SimulatedRun, name: str) -> int:
    from clients.client import Client

    return Client(run.client(name)).inventory().examples[0]


def test_with_too_few_left_there_is_no_sum_and_the_models_stay(
    masked: tuple[SimulatedRun, Recording], tmp_path: Path
) -> None:
    run, _ = masked
    federation = Federation(Recording(run, lambda asked, place: asked == "query.reveal" and place > 1), run)
    again = federation.retrain([1], Rounds(tmp_path / "rounds"), lambda: None)
    assert "2 neighbours give shares" in str(Rounds(tmp_path / "rounds").entry(1).skipped)
    assert distance(again["client-0"][0], run_start(run)) == 0


def test_a_client_tells_its_update_under_masks_alone_and_once(masked: tuple[SimulatedRun, Recording]) -> None:
    from clients import masked_updates
    from clients.client import Client
    from fedrec.protocol.questions import Advertise, Reveal, Share

    run, grid = masked
    node = grid.get_node_ids()
    ids = grid.push_messages([call(run, Train(round=1, shards=(0,), adapters=[run_start(run)]), next(iter(node)))])
    (reply,) = grid.pull_messages(ids)
    assert "under masks alone" in str(reply.error.reason)
    people = [Client(run.client(name)) for name in run.clients]
    keys = {each.name: masked_updates.advertise(each, Advertise(sum="one")).public for each in people}
    masked_updates.share(people[0], Share(sum="one", neighbours=keys))
    with pytest.raises(FedrecError, match="asked twice"):
        masked_updates.share(people[0], Share(sum="one", neighbours=keys))
    with pytest.raises(FedrecError, match="another one's turn"):
        masked_updates.share(people[1], Share(sum="two", neighbours=keys))
    with pytest.raises(FedrecError, match="has no part"):
        masked_updates.reveal(people[0], Reveal(sum="one", boxes={}, inside=(), dropped=()))


@pytest.mark.parametrize(
    ("sets", "why"),
    [
        (("strategy=pplr",), "likeness of single updates"),
        (("strategy=ditto",), "personal models"),
        (("baselines=['local']",), "nothing is summed"),
        (("privacy.unit=client", "privacy.epsilon=8"), "cannot cut what it does not see"),
        (("items.share=all",), "items.share = none"),
        (("split.head=1",), "split.head = 0"),
        (("clients.count=2",), "too few to hide one"),
        (("federation.fraction=0.3",), "too few to hide one"),
    ],
)
def test_what_needs_single_updates_is_refused_with_the_mend(sets: tuple[str, ...], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        load(sets=("federation.secure_aggregation=true", "strategy=fedavg", *sets))


def test_noise_at_each_client_goes_with_it() -> None:
    sets = ("federation.secure_aggregation=true", "strategy=fedprox", "privacy.epsilon=8")
    assert load(sets=sets).items.share == "none"
