"""Whoever can write the run and has no operator's key gets nothing certified that was not done."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fedrec.files import read_json, write_json
from fedrec.protocol.adapters import digest_of
from server.federated_executor import FederatedExecutor
from server.rounds import Rounds
from server.simulated_run import SimulatedRun
from tests.server.test_federated_executor import (
    Copy,
    Served,
    asked,
    execution,
    naming,
    of,
    served,
    verified,
)
from tests.unlearning.workflow.test_edited_ledger import edit, planned
from unlearning.requests.states import PATH, State
from unlearning.verification import Measures, Thresholds, verdict
from unlearning.workflow import progress
from unlearning.workflow.workflow import Workflow


def folder_of(run: SimulatedRun, ids: Sequence[str]) -> Path:
    return run.folder / "erasure" / "batches" / progress.name(ids)


def pretend(run: SimulatedRun, ids: Sequence[str], reached: State) -> None:
    """Ledger and log tell that the requests, planned in truth, came so far."""
    workflow = Workflow(run)
    for id_ in ids:
        for state in PATH[PATH.index(State.PLANNED) + 1 : PATH.index(reached) + 1]:
            workflow.audit.append("advanced", request=id_, state=state.value)
        edit(run, id_, state=reached.value)


def old_rounds(run: SimulatedRun, folder: Path, shards: Sequence[int]) -> None:
    """The adapters that learnt from the rows, as if they were those of a retraining."""
    rounds, last = Rounds(folder / "rounds"), run.rounds.last() or 0
    model = {client: [model[shard] for shard in shards] for client, model in run.rounds.models(last).items()}
    for number in range(1, last + 1):
        hashes = {client: [digest_of(state) for state in states] for client, states in model.items()}
        rounds.write(model, replace(run.rounds.entry(number), hashes=hashes))


def made_up(run: SimulatedRun, ids: Sequence[str], shards: Sequence[int]) -> dict[str, Any]:
    """A batch that was verified, as nobody did."""
    report = verdict(Measures(traces=0, adapters_not_finite=0, adapters_untrained=0), Thresholds())
    after = {client: hashlib.sha256(client.encode()).hexdigest() for client in run.clients}
    reports = {id_: report.model_dump(mode="json") for id_ in ids}
    return {
        "requests": [*ids],
        "shards": [*shards],
        "at": "2026-01-01T00:00:00+00:00",
        "reports": reports,
        "after": after,
    }


@pytest.mark.parametrize("reached", [State.PLANNED, State.VERIFYING, State.PUBLISHED])
@pytest.mark.parametrize("what", ["batch", "rounds", "signed batch"])
def test_a_retraining_that_never_was_is_done(
    tmp_path: Path, finished: Copy, forgotten: Served, reached: State, what: str
) -> None:
    run = finished(tmp_path / "run")
    ids = planned(run, "u07", "u11")
    pretend(run, ids, reached)
    for id_ in ids:  # of different shards, so that each is a batch
        shards, folder = Workflow(run).ledger.get(id_).shards or (), folder_of(run, [id_])
        old_rounds(run, folder, shards)
        batch = made_up(run, [id_], shards)
        if what == "signed batch":  # but not as progress is
            batch |= {"rounds": "0" * 64, "signature": Workflow(run).key("operator").sign(b"something").hex()}
        if what != "rounds":
            write_json(folder / "batch.json", batch)
    work = execution(run)
    work.run()
    assert served(run) == forgotten and naming(run, "u07") == []
    assert all(verified(work.workflow, id_) for id_ in ids)


@pytest.mark.parametrize("change", ["after", "reports", "rounds", "adapters"])
def test_an_altered_verification_is_done_again(
    tmp_path: Path, finished: Copy, forgotten: Served, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    run = finished(tmp_path / "run")
    ids = asked(run, *of("u07", "u11"))

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(FederatedExecutor, "serve", killed)
        execution(run).run()
    (path,) = (run.folder / "erasure" / "batches").glob("*/batch.json")
    batch = read_json(path)
    if change == "adapters":
        old_rounds(run, path.parent, batch["shards"])
    else:
        write_json(path, {**batch, change: made_up(run, batch["requests"], [0]).get(change, "0" * 64)})
    said: list[str] = []
    work = execution(run, said)
    work.run()
    assert any("not signed by operator" in line for line in said)
    assert served(run) == forgotten and all(verified(work.workflow, id_) for id_ in ids)


def test_rounds_that_this_operator_saw_finished_are_gone_on_with(
    tmp_path: Path, finished: Copy, forgotten: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    ids = asked(run, *of("u07", "u11"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(FederatedExecutor, "rehearse", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        execution(run).run()
    work = execution(run)
    trained: list[int] = []
    real = work.executor.federation._train_round  # type: ignore[attr-defined]
    monkeypatch.setattr(
        work.executor.federation,  # type: ignore[attr-defined]
        "_train_round",
        lambda question, *how: (trained.append(question.round), real(question, *how))[1],
    )
    work.run()
    assert served(run) == forgotten and len(ids) == 2
    assert trained == [1, 2]  # of the batch that was not begun
