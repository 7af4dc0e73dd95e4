"""From retrained to served: what is known before, when it is served, and what is measured after that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clients import erasure
from clients.client import Client
from fedrec.data.selection import Selection
from fedrec.errors import FedrecError
from fedrec.protocol.adapters import Model
from server.simulated_run import SimulatedRun, open_run
from tests.server.test_federated_executor import Copy, asked, execution, of, served
from unlearning.requests.transitions import Decision
from unlearning.workflow.workflow import Workflow


def shard_0(run: SimulatedRun) -> dict[str, Model]:
    return {client: model[:1] for client, model in run.rounds.models(2).items()}


def test_rehearsing_what_is_served_changes_nothing_and_what_is_broken_much(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    means = execution(run).executor
    same = means.rehearse([], (0,), shard_0(run))
    assert same.utility is not None
    before, after, liked, disliked = same.utility
    assert after == pytest.approx(before, abs=1e-3)
    theirs = [user for user in run.clients_of() if run.shard_of([user])[0] == 0]
    scores = [run.client(name).ensemble.scores.read() for name in run.clients]
    assert liked + disliked == sum(int(np.isin(kept.users, theirs).sum()) for kept in scores)
    assert len(same.unseen) == sum(len(kept.users) for kept in scores)
    broken = {
        client: [{name: -20 * array for name, array in state.items()} for state in model]
        for client, model in shard_0(run).items()
    }
    assert means.rehearse([], (0,), broken).utility[1] != pytest.approx(before, abs=1e-3)  # type: ignore[index]
    assert {name: run.client(name).ensemble.scores.read().scores.tolist() for name in run.clients} == {
        name: kept.scores.tolist() for name, kept in zip(run.clients, scores, strict=True)
    }


def test_it_is_served_before_it_is_measured(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    before = [run.client(name).ensemble.scores.read() for name in run.clients]
    trained = run.rounds.entry(2)
    asked(run, *of("u07"))
    work = execution(run)
    served_then = []

    def say(text: str) -> None:
        if text.startswith("served again"):
            served_then.append(served(run))
            for name, kept in zip(run.clients, before, strict=True):  # those of the others, as they were
                stay = kept.users != "u07"
                assert (run.client(name).ensemble.scores.read().scores == kept.scores[stay]).all()
                assert not (run.client(name).folder / "rehearsed.safetensors").exists()

    (outcome,) = type(work)(work.workflow, work.executor, work.signer, say).run()
    assert served_then == [served(run)]
    assert 0 <= outcome["withdrawn_seconds"] < outcome["restored_seconds"]
    entry = run.rounds.entry(2)
    assert (entry.participants, entry.seconds) == (trained.participants, trained.seconds)
    assert entry.adapter_hash != trained.adapter_hash


def test_a_client_that_cannot_serve_it_is_named_and_the_rest_is_done_later(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    (id_,) = asked(run, *of("u07"))
    serve = erasure.serve

    def full(client: Client, *arguments: Any) -> None:
        if client.name == "client-1":
            raise OSError("no space left on device")
        serve(client, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "serve", full)
        with pytest.raises(FedrecError, match=r"client client-1: .*no space left"):
            execution(run).run()
    assert Workflow(run).ledger.get(id_).state == "published"
    (outcome,) = execution(open_run(run.folder)).run()
    assert outcome["state"] == "closed"
    assert all(len(hashes) == 2 for hashes in served(run).values())


def test_scores_of_an_erased_item_go_and_no_others(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    before = {name: run.client(name).ensemble.scores.read().items for name in run.clients}
    item = run.catalogue.ids.index("i4")
    assert any((items == item).any() for items in before.values())
    execution(run).executor.erase(Selection(items=("i4",)), None, "some-request")
    for name, items in before.items():
        assert run.client(name).ensemble.scores.read().items.tolist() == items[items != item].tolist()


def test_one_that_is_held_before_it_is_served_again_does_not_stop_the_others(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    held, other = asked(run, *of("u07", "u11"))
    broken = execution(run)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(broken.executor, "serve", killed)
    with pytest.raises(KeyboardInterrupt):
        broken.run()
    broken.workflow.decide(held, Decision("held", "the claim is disputed"), broken.signer)
    assert [(each["id"], each["state"]) for each in execution(open_run(run.folder)).run()] == [(other, "closed")]
    broken.workflow.decide(held, Decision("released"), broken.signer)
    assert [(each["id"], each["state"]) for each in execution(open_run(run.folder)).run()] == [(held, "closed")]
    assert all(len(hashes) == 2 for hashes in served(run).values())
