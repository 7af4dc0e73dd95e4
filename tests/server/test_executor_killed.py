"""Erasure in a federation that is killed between any two steps, or must not be published."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from server.simulated_run import open_run
from tests.killing import killed_at
from tests.server.test_federated_executor import Copy, Served, asked, execution, of, served, verified
from unlearning.certificates.chain import verify_chain
from unlearning.workflow.workflow import Workflow

STEPS = [
    "executor.withdraw", "executor.erase", "executor.retrain", "executor.rehearse", "executor.serve",
    "executor.measure", "executor.discard_erased",
    "measuring.measured", "proof.certify", "workflow.ledger.destroy_subject",
]  # fmt: skip


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_anywhere_it_ends_the_same(
    tmp_path: Path, finished: Copy, forgotten: Served, step: str, after: bool
) -> None:
    run = finished(tmp_path / "run")
    ids = asked(run, *of("u07", "u11"))
    broken = execution(run)
    module, _, name = step.rpartition(".")
    inside = module in ("proof", "measuring")
    where: Any = import_module(f"unlearning.workflow.{module}") if inside else broken
    for part in module.split(".") if not inside else []:
        where = getattr(where, part)
    killed_at(where, name, after, broken.run)
    again = execution(open_run(run.folder))
    again.run()
    workflow = again.workflow
    assert [workflow.ledger.get(id_).state.value for id_ in ids] == ["closed", "closed"]
    assert workflow.audit.path.exists()
    assert served(run) == forgotten
    for id_ in ids:
        assert verified(workflow, id_)
    assert verify_chain(workflow.certificates, trusted=workflow.operators.publics()).ok
    assert again.run() == []


def test_an_over_forgotten_or_remembering_model_is_not_published(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    (id_,) = asked(run, *of("u07"))
    bad = execution(run)
    rehearse = bad.executor.rehearse

    def far_off(*arguments: Any) -> Any:
        found = rehearse(*arguments)
        return type(found)([-9.0] * 40, [-0.1] * 400, found.utility)

    monkeypatch.setattr(bad.executor, "rehearse", far_off)
    (outcome,) = bad.run()
    assert outcome["state"] == "failed"
    assert "over-forgotten" in Workflow(run).ledger.get(id_).reasons["failed"]
    assert any(len(run.client(name).ensemble.hashes()) < run.config.shards for name in run.clients)
