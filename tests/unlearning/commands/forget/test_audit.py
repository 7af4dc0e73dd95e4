"""`fedrec forget audit`: whatever is deleted, cut, moved or edited in a run's erasures is found, and stops the work."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fedrec.errors import FedrecError
from server.commands.forget import app
from server.results import write_page, write_result
from server.simulated_run import SimulatedRun
from tests.server.test_federated_executor import Copy, asked, execution, of, served
from tests.unlearning.commands.forget.tampering import (
    APPROVED,
    WHOLE,
    certificates,
    edit,
    evidence_altered,
    id_in,
    lines_of,
    log_of,
    without_line,
)
from unlearning.certificates.chain import verify_chain
from unlearning.workflow.findings import findings, refuse_altered
from unlearning.workflow.workflow import Workflow


@pytest.fixture(scope="module")
def done(finished: Copy, tmp_path_factory: pytest.TempPathFactory) -> SimulatedRun:
    """A run that forgot two people, one after the other, and has a third approved and a fourth waiting."""
    run = finished(tmp_path_factory.mktemp("done") / "run")
    for user in ("u07", "u11"):
        asked(run, *of(user))
        execution(run).run()
    write_result(run)
    write_page(run)
    asked(run, *of("u05"))
    workflow = Workflow(run)
    workflow.submit(of("u03")[0], client=None, channel="test", ground="17(1)(b)", requester="operator")
    workflow.enrol("gone", ["approver"])
    workflow.operators.revoke("gone")
    workflow.ledger.close()
    return run


@pytest.fixture
def run(done: SimulatedRun, tmp_path: Path) -> SimulatedRun:
    """A copy of it."""
    return SimulatedRun(shutil.copytree(done.folder, tmp_path / "run"))


def audit(run: SimulatedRun, *options: object, command: str = "audit") -> tuple[Result, dict[str, Any]]:
    result = CliRunner().invoke(app, [command, "--run", str(run.folder), *map(str, options), "--json", "-"])
    return result, json.loads(result.stdout) if result.stdout else {}


def test_what_was_left_alone_is_as_it_was(run: SimulatedRun) -> None:
    result, told = audit(run)
    assert result.exit_code == 0, result.output
    assert told == {"ok": True, "findings": [], "unchecked": []}


@pytest.mark.parametrize("what", WHOLE)
def test_it_is_found_and_nothing_is_done(run: SimulatedRun, what: str) -> None:
    change, words = WHOLE[what]
    before = served(run)
    change(run)
    result, told = audit(run)
    assert isinstance(result.exception, FedrecError) and result.exception.exit_code == 1
    assert words in result.stderr.replace("\n", " "), result.stderr
    assert not told["ok"]
    with pytest.raises(FedrecError, match="nothing was done") as caught:
        execution(run).run()
    assert "\n" not in str(caught.value)
    assert served(run) == before and "u05" in run.clients_of()
    status, _ = audit(run, command="status")
    assert status.exit_code == 0 and "fedrec forget audit" in status.stderr.replace("\n", " ")


def test_altered_evidence_is_found(run: SimulatedRun) -> None:
    evidence_altered(run)
    result, _ = audit(run)
    assert result.exit_code == 1 and "plan.json was altered" in result.stderr.replace("\n", " ")


def test_an_open_request_that_was_edited_is_found_and_fails_alone(run: SimulatedRun) -> None:
    id_ = id_in(run, "received")
    edit(run, APPROVED, "gone", id_)
    result, told = audit(run)
    assert result.exit_code == 1 and {finding["about"] for finding in told["findings"]} == {f"request {id_}"}
    states = {outcome["id"]: outcome["state"] for outcome in execution(run).run()}
    assert sorted(states.values()) == ["closed", "failed"] and states[id_] == "failed"
    assert "u03" in run.clients_of() and "u05" not in run.clients_of()
    assert not [finding for finding in findings(Workflow(run)) if "log" in finding.about]


def test_a_last_day_that_was_edited_is_found(run: SimulatedRun) -> None:
    id_ = id_in(run, "received")
    edit(run, "UPDATE requests SET due_at = '2999-12-27' WHERE id = ?", id_)
    result, told = audit(run)
    assert result.exit_code == 1 and [each["about"] for each in told["findings"]] == [f"request {id_}"]
    assert "its last day to answer" in told["findings"][0]["why"]
    status, _ = audit(run, command="status")
    assert "its last day to answer" in status.stderr.replace("\n", " ")


def test_a_chain_does_not_begin_anew(run: SimulatedRun) -> None:
    """There is no other note of the newest certificate that could be deleted: the row itself says what comes next."""
    assert not (Workflow(run).folder / "newest.json").exists()
    execution(run).run()
    assert verify_chain(Workflow(run).certificates, trusted=Workflow(run).operators.publics()).ok
    firsts = [path for path in certificates(run) if json.loads(path.read_bytes())["certificate"]["previous"] is None]
    assert len(firsts) == 1 and len(certificates(run)) == 3


def test_what_was_accepted_lets_the_work_go_on_and_stays_known(run: SimulatedRun) -> None:
    without_line(7)(run)
    result, told = audit(run, "--accept")
    assert result.exit_code == 0 and told["ok"] and all(finding["accepted"] for finding in told["findings"])
    assert [outcome["state"] for outcome in execution(run).run()] == ["closed"]
    write_result(run)
    write_page(run)
    result, told = audit(run)
    assert result.exit_code == 0 and told["ok"] and told["findings"]
    accepted = [json.loads(line) for line in lines_of(run) if b"findings-accepted" in line]
    assert [line["facts"]["operator"] for line in accepted] == ["operator"]
    certificates(run)[0].unlink()  # something else
    assert audit(run)[0].exit_code == 1
    with pytest.raises(FedrecError):
        refuse_altered(Workflow(run))


def test_what_is_altered_again_after_it_was_accepted_is_found_again(run: SimulatedRun) -> None:
    registry = next((run.folder / "erasure").rglob("operators.json"))
    for role, code in (("approver", 0), ("signer", 0)):
        operators = json.loads(registry.read_text())
        operators[0]["roles"] = [role]
        registry.write_text(json.dumps(operators))
        assert audit(run)[0].exit_code == 1
        if role == "approver":
            assert audit(run, "--accept")[0].exit_code == code
            assert audit(run)[0].exit_code == 0


def test_accepting_is_no_approval(run: SimulatedRun) -> None:
    id_ = id_in(run, "received")
    edit(
        run, "UPDATE requests SET state = 'identified', decision = 'approved', approver = 'operator' WHERE id = ?", id_
    )
    assert audit(run, "--accept")[0].exit_code == 0
    assert {outcome["id"]: outcome["state"] for outcome in execution(run).run()}[id_] == "failed"
    assert "u03" in run.clients_of()


def test_a_kept_head_finds_what_was_cut_or_written_anew(run: SimulatedRun, done: SimulatedRun, tmp_path: Path) -> None:
    head = tmp_path / "head.json"
    assert audit(run, "--head", head)[0].exit_code == 0
    assert audit(run, "--since", head)[0].exit_code == 0
    execution(run).run()
    write_result(run)
    write_page(run)
    assert audit(run, "--since", head)[0].exit_code == 0  # what was added since is no fault
    later = tmp_path / "later.json"
    audit(run, "--head", later)
    result, _ = audit(done, "--since", later)  # the run as an old backup has it: nothing in it contradicts the rest
    told = result.stderr.replace("\n", " ")
    assert result.exit_code == 1 and "lines are gone" in told and "not all here" in told
    shutil.rmtree(run.folder / "erasure")
    assert audit(run, "--since", head)[0].exit_code == 1
    head.write_text("{}")
    wrong = audit(run, "--since", head)[0].exception
    assert isinstance(wrong, FedrecError) and wrong.exit_code == 2 and "not what" in str(wrong)


def test_a_crash_is_no_fault(run: SimulatedRun) -> None:
    """A line that was cut short, and a line whose change was never committed."""
    path = log_of(run)
    path.write_bytes(path.read_bytes() + b'{"at":"2026')
    assert audit(run)[0].exit_code == 0
    workflow = Workflow(run)
    workflow.audit.append("approved", request=id_in(run, "received"), state="identified", operator="operator")
    assert audit(run)[0].exit_code == 0
