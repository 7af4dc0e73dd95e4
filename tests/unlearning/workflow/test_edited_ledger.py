"""Whoever edits the ledger's database gets nothing carried out, and nothing left out."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fedrec.errors import FedrecError
from server.commands.forget import app
from server.simulated_run import SimulatedRun
from tests.server.test_federated_executor import Copy, asked, execution, of, served
from unlearning.requests.states import PATH, State
from unlearning.requests.subjects import SubjectKeys
from unlearning.requests.transitions import Decision
from unlearning.workflow.findings import findings, refuse_unproved
from unlearning.workflow.planning import impact
from unlearning.workflow.workflow import Workflow


def edit(run: SimulatedRun, id_: str, **columns: Any) -> None:
    with sqlite3.connect(run.folder / "erasure" / "ledger.db") as database:
        names = ", ".join(f"{name} = ?" for name in columns)
        database.execute(f"UPDATE requests SET {names} WHERE id = ?", (*columns.values(), id_))


def handed_in(run: SimulatedRun, user: str) -> str:
    """A request that nobody has approved."""
    workflow = Workflow(run)
    operator, _ = workflow.ensure_one()
    (selection,) = of(user)
    return workflow.submit(selection, client=None, channel="test", ground="17(1)(b)", requester=operator).id


@pytest.mark.parametrize("state", ["refused", "cancelled", "closed"])
def test_an_edited_end_destroys_no_key(tmp_path: Path, finished: Copy, state: str) -> None:
    """What was really ended and killed before its key went, loses it at the next opening."""
    run = finished(tmp_path / "run")
    edited, ended, last = handed_in(run, "u07"), handed_in(run, "u11"), handed_in(run, "u01")
    keys = SubjectKeys(run.folder / "erasure" / "subjects")
    edit(run, edited, state=state)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SubjectKeys, "destroy", lambda *_: None)
        for id_ in (ended, last):
            Workflow(run).decide(id_, Decision("refused", "not you", "the authority"), "operator")
    assert keys.held() == {edited, ended, last}
    Workflow(run).ledger.close()
    assert keys.held() == {edited} and keys.days()
    edit(run, edited, state="received")
    assert Workflow(run).ledger.selection(edited) == of("u07")[0]


def test_an_approval_that_nobody_signed_is_not_carried_out(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    before, id_ = served(run), handed_in(run, "u07")
    identity = json.dumps({"result": "confirmed", "method": "known-account"})
    edit(run, id_, state="identified", decision="approved", approver="operator", identity=identity)
    (outcome,) = execution(run).run()
    assert outcome["state"] == "failed" and outcome["certificate"] is None
    assert "nobody signed that it was approved" in Workflow(run).ledger.get(id_).reasons["failed"]
    assert served(run) == before and "u07" in run.clients_of()


def planned(run: SimulatedRun, *users: str) -> list[str]:
    """Approved requests, with their plans."""
    ids = asked(run, *of(*users))
    workflow, means = Workflow(run), execution(run).executor
    for id_, selection in zip(ids, of(*users), strict=True):
        plan = impact(means, means.locate(selection, None), workflow.rules)
        workflow.plan(workflow.ledger.get(id_), plan, "operator")
    return ids


@pytest.mark.parametrize("shards", ["[]", "[0, 1]"])
def test_edited_shards_skip_nothing(tmp_path: Path, finished: Copy, shards: str) -> None:
    run = finished(tmp_path / "run")
    before, (id_, other) = served(run), planned(run, "u07", "u11")
    (mine,) = Workflow(run).ledger.get(id_).shards or ()
    plan = {**(Workflow(run).ledger.get(id_).plan or {}), "shards": json.loads(shards)}
    edit(run, id_, state="planned", plan=json.dumps(plan))
    outcomes = {outcome["id"]: outcome for outcome in execution(run).run()}
    assert outcomes[id_]["state"] == "failed" and outcomes[id_]["certificate"] is None
    assert "the ledger was altered" in Workflow(run).ledger.get(id_).reasons["failed"]
    assert Workflow(run).ledger.get(other).state is State.CLOSED  # what was not altered goes on
    (touched,) = Workflow(run).ledger.get(other).shards or ()
    if touched != mine:
        assert all(before[name][mine] == served(run)[name][mine] for name in before)
    assert "u07" in run.clients_of() and "u11" not in run.clients_of()


def test_another_requester_makes_no_four_eyes(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    (id_,) = asked(run, *of("u07"))
    Workflow(run).enrol("ben")
    edit(run, id_, requester="ben")
    (outcome,) = execution(run).run()
    assert outcome["state"] == "failed"
    assert "u07" in run.clients_of()


def test_whom_it_is_about_cannot_be_exchanged(tmp_path: Path, finished: Copy) -> None:
    """The subject sealed under the request's own key, which lies in the run, is another person now."""
    run = finished(tmp_path / "run")
    (id_,) = asked(run, *of("u07"))
    workflow = Workflow(run)
    key = workflow.folder / "subjects" / "requests" / f"{id_}.key"
    sealed, kept = workflow.ledger.get(id_).sealed, key.read_bytes()
    (other,) = of("u11")
    key.unlink()
    from unlearning.requests.subjects import SubjectKeys

    forged = SubjectKeys(workflow.folder / "subjects").seal(id_, other.model_dump_json())
    assert forged != sealed and key.read_bytes() != kept
    edit(run, id_, sealed=forged)
    (outcome,) = execution(run).run()
    assert outcome["state"] == "failed"
    assert {"u07", "u11"} <= set(run.clients_of())


@pytest.mark.parametrize("last", ["planned", "quarantined", "erasing", "verifying", "published"])
def test_a_state_that_was_made_up_fails_alone_and_can_be_released(tmp_path: Path, finished: Copy, last: str) -> None:
    """In the log too, whose lines need no key: nobody has planned it, so there is nothing to go on with."""
    run = finished(tmp_path / "run")
    id_, other = asked(run, *of("u07", "u11"))
    log = Workflow(run).audit
    for state in PATH[2 : PATH.index(State(last)) + 1]:
        log.append("advanced", request=id_, state=state.value)
    edit(run, id_, state=last)
    outcomes = {outcome["id"]: outcome for outcome in execution(run).run()}
    assert (outcomes[id_]["state"], outcomes[other]["state"]) == ("failed", "closed")
    assert "nobody has planned it" in outcomes[id_]["reason"] and "u07" in run.clients_of()
    Workflow(run).decide(id_, Decision("released"), "operator")
    assert Workflow(run).ledger.get(id_).state is State.IDENTIFIED
    (outcome,) = execution(run).run()
    assert outcome["state"] == "closed" and "u07" not in run.clients_of()
    assert not [finding for finding in findings(Workflow(run), evidence=True) if not finding.request]


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("scope", "{}", "its scope cannot be read"),
        ("state", "wonder", "its state cannot be read"),
        ("mark", "x", "its mark is not that of what it asks"),
        ("reasons", '{"approved": "because"}', "it has a reason for 'approved', which the log does not tell of"),
    ],
)
def test_an_edited_cell_is_a_finding_of_its_request(
    tmp_path: Path, finished: Copy, column: str, value: str, why: str
) -> None:
    run = finished(tmp_path / "run")
    id_, _ = asked(run, *of("u07", "u11"))
    edit(run, id_, **{column: value})
    for path in (tmp_path / "run" / "erasure" / "subjects").glob("*/"):
        (path / "notes.key").write_text("x")
    (found,) = findings(Workflow(run))
    assert (found.about, found.why, found.request) == (f"request {id_}", why, True)


def test_a_row_that_cannot_be_read_is_left_out_alone_until_something_of_it_was_done(
    tmp_path: Path, finished: Copy
) -> None:
    run = finished(tmp_path / "run")
    id_, other = asked(run, *of("u07", "u11"))
    edit(run, id_, identity="7")
    status = CliRunner().invoke(app, ["status", "--run", str(run.folder)])
    assert status.exit_code == 0 and f"{id_}  unreadable: its identity cannot be read" in status.output
    (outcome,) = execution(run).run()
    assert (outcome["id"], outcome["state"]) == (other, "closed")
    assert "u07" in run.clients_of() and "u11" not in run.clients_of()
    edit(run, other, scope="{}")
    with pytest.raises(FedrecError, match=f"request {other}: its scope cannot be read.*nothing was done"):
        execution(run).run()
    with pytest.raises(FedrecError, match=f"request {other}: its scope cannot be read.*nothing answers"):
        refuse_unproved(Workflow(run))
