"""Batches that are broken off between two effects, that fail beside others, and that follow each other."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fedrec.data.selection import Selection
from fedrec.protocol.adapters import Model
from fedrec.vault.tombstones import Refusal
from fedrec.vault.vault import Vault
from server.federated_executor import FederatedExecutor
from server.rounds import Rounds
from server.simulated_run import SimulatedRun, open_run
from tests.server.test_federated_executor import Copy, Served, asked, execution, naming, of, served, verified
from unlearning.audit.log import read
from unlearning.certificates.chain import verify_chain
from unlearning.certificates.times import times
from unlearning.executor import Rehearsal
from unlearning.requests.request import Request
from unlearning.requests.states import State
from unlearning.requests.transitions import Decision
from unlearning.verification import Report
from unlearning.workflow.execution import Execution
from unlearning.workflow.findings import findings
from unlearning.workflow.workflow import Workflow


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
    first = times(read(Workflow(run).audit.path), id_).withdrawn_seconds
    said: list[str] = []
    (outcome,) = replace(execution(open_run(run.folder)), say=said.append).run()
    assert f"withdrawn everywhere in {first:.2f} s" in said
    assert outcome["withdrawn_seconds"] == first < outcome["restored_seconds"]


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


def test_what_is_planned_first_is_planned_once_and_the_rest_again_after_it(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    asked(run, *(Selection(users=(user,)) for user in two_shards(run)))
    work, planned = execution(run), list[str]()
    real = work.workflow.plan
    monkeypatch.setattr(
        work.workflow, "plan", lambda request, *how: (planned.append(request.id), real(request, *how))[1]
    )
    first, second = (outcome["id"] for outcome in work.run())
    assert Counter(planned) == {first: 1, second: 2}


def test_a_client_reads_its_vault_once_to_say_what_it_holds(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    means, reads = execution(run).executor, Counter[Path]()
    means.locate(Selection())  # which also counts who is there
    real = Vault.interactions
    monkeypatch.setattr(
        Vault, "interactions", lambda vault, catalogue: (reads.update([vault.path]), real(vault, catalogue))[1]
    )
    means.locate(Selection(users=("u07",)))
    (holder,) = run.clients_of()["u07"]  # whose titles are looked at once more, here
    assert reads == Counter({run.homes[name].vault_path: 1 + (name == holder) for name in run.clients})


@pytest.mark.parametrize("what", ["rows", "scores"])
def test_what_was_put_back_after_the_verification_keeps_a_request_open(
    tmp_path: Path, finished: Copy, forgotten: Served, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    run = finished(tmp_path / "run")
    (home,) = run.clients_of()["u07"]
    store, rows = run.client(home), run.client(home).interactions()
    kept = (store.folder / "scores.npz").read_bytes()
    bad, good = asked(run, *of("u07", "u11"))
    work, said = execution(run), list[str]()
    measure = work.executor.measure

    def put_back(*arguments: Any) -> None:
        measure(*arguments)
        if what == "scores":
            (store.folder / "scores.npz").write_bytes(kept)
        else:
            with monkeypatch.context() as patch:
                patch.setattr(Refusal, "by", lambda *_: None)  # as with a tool of SQLite, past the tombstones
                run.homes[store.name].write_interactions(
                    rows.take(rows.user == rows.user_ids.index("u07")), run.catalogue
                )

    with monkeypatch.context() as patch:
        patch.setattr(work.executor, "measure", put_back)
        replace(work, say=said.append).run()
    assert {id_: work.workflow.ledger.get(id_).state for id_ in (bad, good)}[bad] is State.FAILED
    assert any("came back after its verification" in line and "\n" not in line for line in said)
    assert not (work.workflow.certificates / f"{bad}.json").exists()
    assert findings(work.workflow) == []
    for id_ in (bad, good):
        if work.workflow.ledger.get(id_).state is State.FAILED:
            work.workflow.decide(id_, Decision("released"), work.signer)
    again = executed_again(run)
    assert {again.workflow.ledger.get(id_).state for id_ in (bad, good)} == {State.CLOSED}
    assert naming(run, "u07") == [] and served(run) == forgotten
    assert all(verified(again.workflow, id_) for id_ in (bad, good)) and findings(again.workflow) == []


def test_adapters_that_are_as_they_were_though_they_had_learned_are_not_certified(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    (id_,) = asked(run, *of("u07"))
    last = run.config.federation.rounds
    old, real = run.rounds.models(last), FederatedExecutor.retrain

    def nothing_done(self: FederatedExecutor, shards: Any, folder: Path, *how: Any) -> dict[str, Model]:
        real(self, shards, folder, *how)
        models = {client: [model[shard] for shard in shards] for client, model in old.items()}
        Rounds(folder).write(models, Rounds(folder).entry(last))
        return models

    with monkeypatch.context() as patch:
        patch.setattr(FederatedExecutor, "retrain", nothing_done)
        (outcome,) = execution(run).run()
    assert outcome["state"] == "failed" and "adapters as they were: 3, allowed 0" in outcome["reason"]
    assert withdrawn(run) == set(outcome["shards"])
    Workflow(run).decide(id_, Decision("released"), "operator")
    executed_again(run)
    assert verified(Workflow(run), id_)


def test_who_came_after_the_training_is_forgotten_though_no_adapter_changes(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    store = run.client(run.clients[0])
    rows, before = store.interactions(), served(run)
    some = rows.take(rows.user == 0)
    run.homes[store.name].write_interactions(replace(some, user_ids=("newcomer", *some.user_ids[1:])), run.catalogue)
    (id_,) = asked(run, *of("newcomer"))
    (outcome,) = execution(run).run()
    assert outcome["state"] == "closed", outcome
    assert served(run) == before and verified(Workflow(run), id_)
