"""A model that forgot equals one that never knew, byte for byte; and while it forgets, the rest goes on answering."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.models import content
from fedrec.data.dataset import TRAIN
from fedrec.data.selection import Selection, row_keys
from fedrec.ensemble.aggregators import Aggregator
from fedrec.errors import FedrecError, UsageError
from tests.unlearning.models import Maker, adapters, same
from unlearning.central.model import ShardedModel
from unlearning.central.row_table import RowTable
from unlearning.partition import PARTITIONERS
from unlearning.shards.files import ShardFiles
from unlearning.shards.training import ShardTraining, Trained

STRICT = [name for name, partitioner in PARTITIONERS.items() if partitioner.strict]
USER, USERS = Selection(users=("u07",)), Selection(users=("u01", "u07", "u16"))
ITEM, DATES = Selection(items=("i4",)), Selection(since=1_500_005_000, until=1_500_009_050)


def a_row(maker: Maker) -> Selection:
    """The third training row of a user, which stands in the histories of later ones."""
    rows = maker.dataset.interactions
    chosen = np.flatnonzero((rows.split == TRAIN) & (rows.user == 3))[2]
    return Selection(rows=(row_keys(rows, maker.dataset.catalogue)[chosen],))


@pytest.mark.parametrize("slices", [1, 3])
@pytest.mark.parametrize("partition", STRICT)
def test_forgetting_users_is_never_having_had_them(maker: Maker, partition: str, slices: int) -> None:
    forgot = maker.trained(f"{partition}+apa-nd", slices=slices)
    knew = adapters(forgot)
    forgot.forget(USERS)
    assert adapters(forgot) != knew
    same(forgot, maker.trained(f"{partition}+apa-nd", slices=slices, gone=USERS))


@pytest.mark.parametrize("selection", ["row", "item", "dates"])
@pytest.mark.parametrize("partition", ["hash", "hash-row", "public-row"])
def test_forgetting_rows_is_never_having_had_them(maker: Maker, partition: str, selection: str) -> None:
    gone = {"row": a_row(maker), "item": ITEM, "dates": DATES}[selection]
    forgot = maker.trained(f"{partition}+apa-d", slices=2)
    knew = adapters(forgot)
    forgot.forget(gone)
    assert adapters(forgot) != knew
    same(forgot, maker.trained(f"{partition}+apa-d", slices=2, gone=gone))


@pytest.mark.parametrize(
    "method",
    ["sisa", "random+sisa", "grapheraser", "receraser", "inbp+receraser", "apa-d", "semantic+apa-nd", "apa-nd"],
)
def test_a_published_method_is_exact_given_its_partition(maker: Maker, method: str) -> None:
    forgot = maker.trained(method)
    before = forgot.table.assignment
    gone = USERS.mask(maker.dataset.interactions, maker.dataset.catalogue)
    forgot.forget(USERS)
    same(forgot, maker.trained(method, gone=USERS, assignment=before.take(~gone)))


def test_ten_deletions_in_a_row_are_one(maker: Maker) -> None:
    ten = [f"u{number:02d}" for number in range(2, 22, 2)]
    forgot = maker.trained("strict-hash")
    for user in ten:
        forgot.forget(Selection(users=(user,)))
    same(forgot, maker.trained("strict-hash", gone=Selection(users=tuple(ten))))


def test_a_deletion_leaves_other_shards_as_they_were(maker: Maker) -> None:
    forgot = maker.trained("strict-hash", shards=4)
    before = forgot.ensemble.hashes()
    deletion = forgot.forget(USER)
    after = forgot.ensemble.hashes()
    assert deletion.shards == deletion.cost.shards
    assert len(deletion.shards) == 1
    assert {shard for shard in before if before[shard] != after[shard]} == set(deletion.shards)
    assert deletion.rows == 12


def test_a_batch_trains_each_shard_once(maker: Maker) -> None:
    model = maker.trained("strict-hash", shards=2)
    everybody = Selection(users=tuple(f"u{number:02d}" for number in range(10)))
    assert model.forget(everybody).cost.shards == (0, 1)


def test_a_row_takes_its_users_later_rows_with_it(maker: Maker) -> None:
    """The hole of partitions by rows: what comes after a row has read it, wherever it lives."""
    model = maker.trained("hash-row+apa-nd", shards=4)
    row = a_row(maker)
    rows, assignment = model.table.interactions, model.table.assignment
    first = np.flatnonzero(row.mask(rows, model.catalogue))[0]
    later = (rows.user == rows.user[first]) & (rows.split == TRAIN) & (np.arange(len(rows)) >= first)
    deletion = model.forget(row)
    assert set(deletion.cost.shards) == set(assignment.shard[later].tolist())
    assert len(deletion.shards) > 1


@pytest.mark.parametrize("user", ["u00", "u05", "u09"])
def test_slices_spare_what_came_before(maker: Maker, user: str) -> None:
    model = maker.trained("hash+average-nd", shards=1, slices=4)
    rows, assignment = model.table.interactions, model.table.assignment
    mine = (rows.user == rows.user_ids.index(user)) & (rows.split == TRAIN)
    at = int(assignment.slice[mine][0])
    before = slices_of(model)
    cost = model.forget(Selection(users=(user,))).cost
    assert cost.rows == sum(int(model.table.assignment.learned(0, upto).sum()) for upto in range(at, 4))
    assert [a == b for a, b in zip(before, slices_of(model), strict=True)] == [number < at for number in range(4)]


def slices_of(model: ShardedModel) -> list[bytes]:
    folder = ShardFiles(model.folder, 0).path
    return [(folder / f"slice-{number}.safetensors").read_bytes() for number in range(4)]


@pytest.mark.parametrize("at", ["save", "judged_by", "serve"])
def test_a_killed_deletion_is_continued(maker: Maker, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    model = maker.trained("strict-hash")
    touched = model.withdraw(USER)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RowTable if at == "save" else ShardedModel, at, killed)
        with pytest.raises(KeyboardInterrupt):
            model.erase(USER, "request")
            model.train()
    again = ShardedModel(model.folder)
    assert set(again.answers.shards).isdisjoint(touched)
    again.erase(USER, "request")
    again.train()
    same(again, maker.trained("strict-hash", gone=USER))


def test_training_goes_on_where_it_was_stopped(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    model = maker.create("strict-hash", shards=3)
    wanted = maker.trained("strict-hash", shards=3)
    run = ShardTraining.run

    def stopped(self: ShardTraining, *arguments: Any) -> Trained:
        if self.shard == 1:
            raise KeyboardInterrupt
        return run(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(ShardTraining, "run", stopped)
        with pytest.raises(KeyboardInterrupt):
            model.train()
    again = ShardedModel(model.folder)
    assert again.train().shards == (1, 2)
    same(again, wanted)
    assert again.train().shards == ()


def test_answers_go_on_while_shards_are_away(maker: Maker) -> None:
    model = maker.trained("strict-hash", shards=4)
    rows = model.table.interactions
    windows = model.encoder.windows(rows, rows.user == 0)
    stop, failures, seen = threading.Event(), [], set()

    def ask() -> None:
        while not stop.is_set():
            try:
                answers = model.answers
                assert np.isfinite(answers.scores(windows, len(rows))[rows.user == 0]).all()
                seen.add(answers.shards)
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    touched = model.withdraw(USER)
    assert set(model.answers.shards).isdisjoint(touched)
    model.erase(USER, "request")
    model.train()
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert tuple(s for s in range(4) if s not in touched) in seen


@pytest.mark.parametrize("method", ["receraser", "grapheraser"])
def test_a_withdrawal_waits_for_no_learning(maker: Maker, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    model = maker.trained_now(method)

    def learning(*_: object) -> None:
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(Aggregator, "prepare", learning)
        touched = model.withdraw(USER)
        scores, test = model.test_scores()
    assert set(model.answers.shards).isdisjoint(touched)
    assert np.isfinite(scores[test]).all()


@pytest.mark.parametrize("method", ["sisa", "receraser", "grapheraser", "apa-nd"])
def test_what_is_left_answers_as_if_opened_anew(maker: Maker, method: str) -> None:
    model = maker.trained_now(method)
    model.withdraw(USER)
    model.answers = model.answers.learned_again()
    np.testing.assert_array_equal(model.test_scores()[0], ShardedModel(model.folder).test_scores()[0])


def test_with_all_shards_away_the_base_model_answers(maker: Maker) -> None:
    untrained = maker.create("strict-hash")
    assert untrained.answers.shards == ()
    scores, wanted = untrained.test_scores()
    assert np.isfinite(scores[wanted]).all()


def test_nothing_of_a_person_is_left(maker: Maker) -> None:
    model = maker.trained("strict-hash")
    assert any(b"u07" in data for data in content(model).values())
    model.forget(USER)
    assert [path for path, data in content(model).items() if b"u07" in data] == []


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        (Selection(users=("nobody",)), "user 'nobody': not in the data"),
        (Selection(items=("i4", "no", "none")), "item 'no' and 1 more"),
        (Selection(rows=("u01\ti4\t7",)), "row"),
        (Selection(), "nothing is named"),
    ],
)
def test_a_wrong_selection_is_told_and_nothing_changes(maker: Maker, selection: Selection, told: str) -> None:
    model = maker.trained("strict-hash", shards=2)
    before = content(model)
    with pytest.raises(UsageError, match=told):
        model.forget(selection)
    assert content(model) == before


def test_a_changed_adapter_is_not_served(maker: Maker, tmp_path: Path) -> None:
    model = maker.trained("strict-hash", shards=2)
    (path,) = model.folder.glob("served/1-*/*.safetensors")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(FedrecError, match="its content has changed"):
        ShardedModel(model.folder).test_scores()
