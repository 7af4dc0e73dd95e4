"""Batches that are broken off between two effects, that fail beside others, and that are trained a second time."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fedrec.data.selection import Selection
from fedrec.protocol.adapters import Model
from server.federated_executor import FederatedExecutor
from server.rounds import Rounds
from server.simulated_run import SimulatedRun, open_run
from tests.server.test_federated_executor import (
    Copy,
    Served,
    asked,
    execution,
    finished,
    forgotten,
    of,
    served,
    verified,
)
from unlearning.certificates.verify import verify_chain
from unlearning.executor import Rehearsal
from unlearning.requests.decisions import Decision
from unlearning.requests.request import Request
from unlearning.requests.states import State
from unlearning.verification import Report
from unlearning.workflow.execution import Execution
from unlearning.workflow.findings import findings
from unlearning.workflow.workflow import Workflow

__all__ = ["finished", "forgotten"]  # fixtures


def certified(workflow: Workflow) -> Counter[str]:
    """How often the audit log says so, by request."""
    lines = [json.loads(line) for line in workflow.audit.path.read_text().splitlines()]
    return Counter(line["facts"]["request"] for line in lines if line["event"] == "certified")


def report_of(workflow: Workflow, id_: str) -> Report:
    return Report.model_validate_json((workflow.bundle(id_) / "verification.json").read_bytes())


def withdrawn(run: SimulatedRun) -> set[int]:
    """The shards that one client at least does not serve."""
    everything = range(run.config.shards)
    return {shard for name in run.clients for shard in everything if shard not in run.client(name).ensemble.hashes()}


def two_shards(run: SimulatedRun) -> tuple[str, str]:
    """A user of each of the two shards."""
    users = sorted(run.clients_of())
    shards = run.shard_of(users).tolist()
    return users[shards.index(0)], users[shards.index(1)]


@pytest.mark.parametrize(
    ("state", "which"), [(State.QUARANTINED, 0), (State.PUBLISHED, 0), (State.CLOSED, 0), (State.CLOSED, 1)]
)
def test_killed_once_a_state_of_one_of_two_is_written(
    tmp_path: Path, finished: Copy, forgotten: Served, monkeypatch: pytest.MonkeyPatch, state: State, which: int
) -> None:
    run = finished(tmp_path / "run")
    ids = asked(run, *of("u07", "u11"))
    broken = execution(run)
    advance = broken.workflow.ledger.advance
    reached: list[str] = []

    def killed(id_: str, to: State, **facts: Any) -> Request:
        request = advance(id_, to, **facts)
        reached.extend([id_] if to == state else [])
        if len(reached) > which:
            raise KeyboardInterrupt
        return request

    monkeypatch.setattr(broken.workflow.ledger, "advance", killed)
    with pytest.raises(KeyboardInterrupt):
        broken.run()
    workflow = executed_again(run).workflow
    assert {workflow.ledger.get(id_).state for id_ in ids} == {State.CLOSED}
    assert served(run) == forgotten
    assert certified(workflow) == dict.fromkeys(ids, 1)
    assert all(verified(workflow, id_) for id_ in ids)
    assert verify_chain(workflow.certificates, trusted=workflow.operators.publics()).ok
    assert not list((workflow.folder / "subjects" / "requests").iterdir())
    assert not (workflow.folder / "batches").exists()


def executed_again(run: SimulatedRun, rederive: bool = False) -> Execution:
    """What a new process does, done."""
    again = replace(execution(open_run(run.folder)), rederive=rederive)
    again.run()
    return again


def test_what_is_told_of_the_withdrawal_is_the_first_one(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    (id_,) = asked(run, *of("u07"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(FederatedExecutor, "retrain", interrupted)
        execution(run).run()
    first = Workflow(run).ledger.get(id_).timings["withdrawn_seconds"]
    monkeypatch.setattr(Execution, "_since_quarantined", lambda *_: 99.0)
    said: list[str] = []
    replace(execution(open_run(run.folder)), say=said.append).run()
    assert f"withdrawn everywhere in {first:.2f} s" in said


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_failed_stays_withdrawn_while_others_are_published(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    before = served(run)
    one, other = two_shards(run)
    (failed,) = asked(run, *of(one))
    bad = execution(run)
    monkeypatch.setattr(bad.executor, "rehearse", lambda *_: Rehearsal([-9.0] * 40, [-0.1] * 400, None))
    bad.run()
    assert withdrawn(run) == {0}
    asked(run, *of(other))
    (outcome,) = execution(run).run()
    assert outcome["state"] == "closed"
    assert withdrawn(run) == {0}
    bad.workflow.decide(failed, Decision("released"), bad.signer)
    executed_again(run)
    assert withdrawn(run) == set()
    assert {hash_ for hashes in before.values() for hash_ in hashes}.isdisjoint(
        {hash_ for hashes in served(run).values() for hash_ in hashes}
    )


def test_a_second_training_gives_the_same(tmp_path: Path, finished: Copy, forgotten: Served) -> None:
    run = finished(tmp_path / "run")
    ids = asked(run, *of("u07", "u11"))
    workflow = executed_again(run, rederive=True).workflow
    assert served(run) == forgotten
    for id_ in ids:
        certificate = json.loads((workflow.certificates / f"{id_}.json").read_bytes())["certificate"]
        assert certificate["unequal_adapters"] == report_of(workflow, id_).measures.unequal_adapters == 0
        assert verified(workflow, id_)
    assert not list(run.folder.rglob("again"))


def test_a_retraining_that_a_second_one_does_not_give_is_not_served(
    tmp_path: Path, finished: Copy, forgotten: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    ids = asked(run, *of("u07", "u11"))
    bad = replace(execution(run), rederive=True)
    retrain = bad.executor.retrain

    def corrupted(shards: Any, folder: Path, *how: Any) -> dict[str, Model]:
        models = retrain(shards, folder, *how)
        if folder.name == "rounds":
            next(iter(models[run.clients[0]][0].values()))[0, 0] += 1e-4
            Rounds(folder).write(2, models, Rounds(folder).entry(2))
        return models

    monkeypatch.setattr(bad.executor, "retrain", corrupted)
    outcomes = bad.run()
    assert {outcome["state"] for outcome in outcomes} == {"failed"}
    assert "unlike the re-derived: 1" in bad.workflow.ledger.get(ids[0]).reasons["failed"]
    assert withdrawn(run) == {shard for outcome in outcomes for shard in outcome["shards"]}
    for id_ in ids:
        bad.workflow.decide(id_, Decision("released"), bad.signer)
    executed_again(run, rederive=True)
    assert served(run) == forgotten


def test_killed_in_the_second_training(
    tmp_path: Path, finished: Copy, forgotten: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    (id_, _) = asked(run, *of("u07", "u11"))
    broken = replace(execution(run), rederive=True)
    retrain = broken.executor.retrain

    def killed(shards: Any, folder: Path, *how: Any) -> dict[str, Model]:
        models = retrain(shards, folder, *how)
        if folder.name != "rounds":
            raise KeyboardInterrupt
        return models

    monkeypatch.setattr(broken.executor, "retrain", killed)
    with pytest.raises(KeyboardInterrupt):
        broken.run()
    workflow = executed_again(run, rederive=True).workflow
    assert served(run) == forgotten
    assert report_of(workflow, id_).measures.unequal_adapters == 0
    assert not list(run.folder.rglob("again"))


def test_the_second_of_two_batches_begins_with_what_the_first_one_left(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    asked(run, *(Selection(users=(user,)) for user in two_shards(run)))
    work = execution(run)
    (first, second) = [outcome["id"] for outcome in work.run()]
    told = [
        {
            name: json.loads((work.workflow.bundle(id_) / "data_manifest.json").read_bytes())[name]
            for name in ("before", "after")
        }
        for id_ in (first, second)
    ]
    assert told[1]["before"] == told[0]["after"] != told[0]["before"]
    assert all(verified(work.workflow, id_) for id_ in (first, second))
    assert findings(work.workflow) == []
