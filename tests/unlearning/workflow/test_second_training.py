"""A second training of the same shards: served only where it gives the same, and gone on with when killed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fedrec.protocol.adapters import Model
from server.rounds import Rounds
from tests.server.test_federated_executor import Copy, Served, asked, execution, of, served, verified
from tests.unlearning.workflow.test_execution import executed_again, report_of, withdrawn
from unlearning.requests.transitions import Decision


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
            Rounds(folder).write(models, Rounds(folder).entry(2))
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
