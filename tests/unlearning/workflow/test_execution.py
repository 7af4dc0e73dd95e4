"""Batches that are broken off between two effects, that fail beside others, and that are trained a second time."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fedrec.protocol.adapters import Model
from fedrec.store import Rounds, Run, open_run
from server.erasure import FederatedErasure
from tests.server.test_erasure import Copy, Served, asked, carrier, finished, forgotten, of, served, verified
from unlearning.certificates.verify import verify_chain
from unlearning.executor import Rehearsal
from unlearning.requests.decisions import Decision
from unlearning.requests.request import Request
from unlearning.requests.states import State
from unlearning.verification import Report
from unlearning.workflow.execution import Carrier
from unlearning.workflow.records import Office

__all__ = ["finished", "forgotten"]  # fixtures


def certified(office: Office) -> Counter[str]:
    """How often the audit log says so, by request."""
    lines = [json.loads(line) for line in office.audit.path.read_text().splitlines()]
    return Counter(line["facts"]["request"] for line in lines if line["event"] == "certified")


def report_of(office: Office, id_: str) -> Report:
    return Report.model_validate_json((office.bundle(id_) / "verification.json").read_bytes())


def withdrawn(run: Run) -> set[int]:
    """The shards that one client at least does not serve."""
    manifests = [run.client(name).manifest for name in run.clients]
    return {shard for manifest in manifests if manifest for shard, it in enumerate(manifest["shards"]) if it is None}


def two_shards(run: Run) -> tuple[str, str]:
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
    broken = carrier(run)
    advance = broken.office.ledger.advance
    reached: list[str] = []

    def killed(id_: str, to: State, **facts: Any) -> Request:
        request = advance(id_, to, **facts)
        reached.extend([id_] if to == state else [])
        if len(reached) > which:
            raise KeyboardInterrupt
        return request

    monkeypatch.setattr(broken.office.ledger, "advance", killed)
    with pytest.raises(KeyboardInterrupt):
        broken.run()
    office = carrier_again(run).office
    assert {office.ledger.get(id_).state for id_ in ids} == {State.CLOSED}
    assert served(run) == forgotten
    assert certified(office) == dict.fromkeys(ids, 1)
    assert all(verified(office, id_) for id_ in ids)
    assert verify_chain(office.certificates, trusted=office.operators.publics()).ok
    assert not list((office.folder / "subjects" / "requests").iterdir())
    assert not (office.folder / "batches").exists()


def carrier_again(run: Run, rederive: bool = False) -> Carrier:
    """What a new process does, done."""
    again = replace(carrier(open_run(run.folder)), rederive=rederive)
    again.run()
    return again


def test_what_is_told_of_the_withdrawal_is_the_first_one(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    (id_,) = asked(run, *of("u07"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(FederatedErasure, "retrain", interrupted)
        carrier(run).run()
    first = Office(run).ledger.get(id_).timings["withdrawn_seconds"]
    monkeypatch.setattr(Carrier, "_since_quarantined", lambda *_: 99.0)
    said: list[str] = []
    replace(carrier(open_run(run.folder)), say=said.append).run()
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
    bad = carrier(run)
    monkeypatch.setattr(bad.erasure, "rehearse", lambda *_: Rehearsal([-9.0] * 40, [-0.1] * 400, None))
    bad.run()
    assert withdrawn(run) == {0}
    asked(run, *of(other))
    (outcome,) = carrier(run).run()
    assert outcome["state"] == "closed"
    assert withdrawn(run) == {0}
    bad.office.decide(failed, Decision("released"), bad.signer)
    carrier_again(run)
    assert withdrawn(run) == set()
    assert {hash_ for hashes in before.values() for hash_ in hashes}.isdisjoint(
        {hash_ for hashes in served(run).values() for hash_ in hashes}
    )


def test_a_second_training_gives_the_same(tmp_path: Path, finished: Copy, forgotten: Served) -> None:
    run = finished(tmp_path / "run")
    ids = asked(run, *of("u07", "u11"))
    office = carrier_again(run, rederive=True).office
    assert served(run) == forgotten
    for id_ in ids:
        certificate = json.loads((office.certificates / f"{id_}.json").read_bytes())["certificate"]
        assert certificate["unequal_adapters"] == report_of(office, id_).measures.unequal_adapters == 0
        assert verified(office, id_)
    assert not list(run.folder.rglob("again"))


def test_a_retraining_that_a_second_one_does_not_give_is_not_served(
    tmp_path: Path, finished: Copy, forgotten: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    ids = asked(run, *of("u07", "u11"))
    bad = replace(carrier(run), rederive=True)
    retrain = bad.erasure.retrain

    def corrupted(shards: Any, folder: Path) -> dict[str, Model]:
        models = retrain(shards, folder)
        if folder.name == "rounds":
            next(iter(models[run.clients[0]][0].values()))[0, 0] += 1e-4
            Rounds(folder).write(2, models, Rounds(folder).entry(2))
        return models

    monkeypatch.setattr(bad.erasure, "retrain", corrupted)
    outcomes = bad.run()
    assert {outcome["state"] for outcome in outcomes} == {"failed"}
    assert "unlike the re-derived: 1" in bad.office.ledger.get(ids[0]).reasons["failed"]
    assert withdrawn(run) == {shard for outcome in outcomes for shard in outcome["shards"]}
    for id_ in ids:
        bad.office.decide(id_, Decision("released"), bad.signer)
    carrier_again(run, rederive=True)
    assert served(run) == forgotten


def test_killed_in_the_second_training(
    tmp_path: Path, finished: Copy, forgotten: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    (id_, _) = asked(run, *of("u07", "u11"))
    broken = replace(carrier(run), rederive=True)
    retrain = broken.erasure.retrain

    def killed(shards: Any, folder: Path) -> dict[str, Model]:
        models = retrain(shards, folder)
        if folder.name != "rounds":
            raise KeyboardInterrupt
        return models

    monkeypatch.setattr(broken.erasure, "retrain", killed)
    with pytest.raises(KeyboardInterrupt):
        broken.run()
    office = carrier_again(run, rederive=True).office
    assert served(run) == forgotten
    assert report_of(office, id_).measures.unequal_adapters == 0
    assert not list(run.folder.rglob("again"))
