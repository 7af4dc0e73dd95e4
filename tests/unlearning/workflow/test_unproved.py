"""What would not be verified is not signed: the request fails, says by whom, and its shards stay withdrawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fedrec.ensemble import erasure_steps
from fedrec.files import read_json
from tests.server.test_federated_executor import Copy, asked, execution, of, verified
from tests.unlearning.workflow.test_execution import report_of, two_shards, withdrawn
from unlearning.executor import Located
from unlearning.requests.states import State
from unlearning.requests.transitions import Decision
from unlearning.workflow import proof
from unlearning.workflow.execution import Execution


def state(work: Execution, id_: str) -> State:
    return work.workflow.ledger.get(id_).state


def why(work: Execution, id_: str) -> str:
    return work.workflow.ledger.get(id_).reasons["failed"]


def written(work: Execution, id_: str) -> set[str]:
    return set(work.workflow.documents_of(id_))


def saying(work: Execution, **lie: Any) -> Execution:
    """The same, of clients one of whom always says so."""
    real = work.executor.locate

    def lying(*of: Any) -> Located:
        found = real(*of)
        return replace(found, **{name: {**getattr(found, name), **said} for name, said in lie.items()})

    work.executor.locate = lying  # type: ignore[method-assign]
    return work


def test_a_client_whose_data_never_change_gets_no_certificate_signed(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    one, other = two_shards(run)
    bad, good = asked(run, *of(one, other))
    (home,) = run.clients_of()[one]
    (elsewhere,) = run.clients_of()[other]
    work = saying(execution(run), data={home: "a" * 64})
    work.run()
    assert state(work, bad) == State.FAILED and withdrawn(run) >= {0}
    assert f"data: {home}: had rows to erase, and holds the same as before" in why(work, bad)
    assert not written(work, bad)
    if elsewhere != home:
        assert state(work, good) == State.CLOSED and verified(work.workflow, good)
    work.workflow.decide(bad, Decision("released"), work.signer)
    honest = execution(run)
    honest.run()
    assert state(honest, bad) == State.CLOSED and verified(honest.workflow, bad)


@pytest.mark.parametrize("when", ["before it is served", "after"])
def test_whatever_verify_would_find_is_found_before_anything_is_signed(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    run = finished(tmp_path / "run")
    (id_,) = asked(run, *of("u07"))
    real = proof._evidence

    def another(*facts: Any) -> dict[str, Any]:
        parts = real(*facts)
        return parts | {"config.json": {**parts["config.json"], "seed": 7}}

    if when == "after":
        monkeypatch.setattr(proof, "check", lambda *_: None)
    work = execution(run)
    with monkeypatch.context() as patch:
        patch.setattr(proof, "_evidence", another)
        work.run()
    assert state(work, id_) == State.FAILED and "configuration: the seed is not the run's" in why(work, id_)
    assert not written(work, id_)
    assert not list(work.workflow.certificates.glob("*.json"))
    monkeypatch.undo()
    work.workflow.decide(id_, Decision("released"), work.signer)
    again = execution(run)
    again.run()
    assert state(again, id_) == State.CLOSED and verified(again.workflow, id_)
    assert report_of(again.workflow, id_).verdict == "PASS" and withdrawn(run) == set()


@pytest.mark.parametrize("told", ["nothing", "one row less"])
def test_a_client_that_does_not_answer_for_the_rows_it_kept_is_named(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    run = finished(tmp_path / "run")
    (id_,) = asked(run, *of("u07"))
    (home,) = run.clients_of()["u07"]
    real = erasure_steps.rehearse

    def silent(holder: Any, *of: Any) -> Any:
        said = real(holder, *of)
        return replace(said, forgotten=() if told == "nothing" else said.forgotten[:-1]) if said.forgotten else said

    with monkeypatch.context() as patch:
        patch.setattr(erasure_steps, "rehearse", silent)
        work = execution(run)
        work.run()
    assert state(work, id_) == State.FAILED and not written(work, id_)
    assert f"membership inference: {home} kept erased rows to answer for, and did not answer" in why(work, id_)
    work.workflow.decide(id_, Decision("released"), work.signer)
    again = execution(run)
    again.run()
    assert state(again, id_) == State.CLOSED and verified(again.workflow, id_)
    assert "membership inference" not in certificate(again, id_)["not_measured"]


def test_where_nothing_can_be_measured_the_certificate_says_so(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    (id_,) = asked(run, *of("u07"))
    monkeypatch.setattr(erasure_steps, "_hold", lambda *_: None)  # as where the rows only stood in histories
    work = execution(run)
    work.run()
    assert state(work, id_) == State.CLOSED and verified(work.workflow, id_)
    assert "membership inference" in certificate(work, id_)["not_measured"]
    assert "There was too little to test" in work.workflow.documents_of(id_)["reply"].read_text()


def certificate(work: Execution, id_: str) -> dict[str, Any]:
    found: dict[str, Any] = read_json(work.workflow.certificates / f"{id_}.json")["certificate"]
    return found
