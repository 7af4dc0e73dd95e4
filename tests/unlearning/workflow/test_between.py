"""What happens to a client's folder between two erasures: an old copy is found, an import is not accused."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fedrec.errors import FedrecError
from server.commands.forget import app
from server.results import write_page, write_result
from server.simulated_run import SimulatedRun
from tests.server.test_federated_executor import Copy, asked, execution, of
from unlearning.certificates.chain import verify_chain
from unlearning.certificates.verify import Verdict
from unlearning.workflow import findings
from unlearning.workflow.workflow import Workflow


def forgotten(run: SimulatedRun, user: str) -> None:
    asked(run, *of(user))
    assert [outcome["state"] for outcome in execution(run).run()] == ["closed"]
    write_result(run)  # as the command does
    write_page(run)


def verified(run: SimulatedRun) -> Verdict:
    workflow = Workflow(run)
    trusted = workflow.operators.publics()
    return verify_chain(workflow.certificates, bundles=workflow.folder / "bundles", trusted=trusted)


def put_back(run: SimulatedRun, old: SimulatedRun, client: str) -> None:
    shutil.rmtree(run.folder / "clients" / client)
    shutil.copytree(old.folder / "clients" / client, run.folder / "clients" / client)


def struck_out(run: SimulatedRun, client: str) -> None:
    """The ledger remembers no erasure of the client's."""
    with sqlite3.connect(run.folder / "erasure" / "ledger.db") as database:
        assert database.execute("DELETE FROM links WHERE client = ?", (client,)).rowcount


def test_an_old_folder_is_found_though_the_ledger_knows_nothing_of_it(tmp_path: Path, finished: Copy) -> None:
    run, old = finished(tmp_path / "run"), finished(tmp_path / "old")
    (home,) = run.clients_of()["u07"]
    forgotten(run, "u07")
    put_back(run, old, home)
    struck_out(run, home)
    asked(run, *of("u11"))
    with pytest.raises(FedrecError, match=f"ledger: it lacks erasures of {home} .* nothing was done"):
        execution(run).run()

    workflow = Workflow(run)
    findings.accept(workflow, "operator", findings.unaccepted(workflow))  # whoever goes on is found out later
    assert [outcome["state"] for outcome in execution(run).run()] == ["closed"]
    assert "u07" in run.clients_of()
    verdict, (second,) = verified(run), [outcome for outcome in certificates(run) if outcome["previous"]]
    assert [check.why for check in verdict.checks if not check.ok and "lacks" in check.why], verdict
    assert not verdict.intact
    told = [(one.about, one.accepted) for one in findings.findings(workflow, evidence=True) if "put back" in one.why]
    assert told == [(f"certificate {second['request']}", False)]


def certificates(run: SimulatedRun) -> list[dict[str, str]]:
    paths = Workflow(run).certificates.glob("*.json")
    return [json.loads(path.read_bytes())["certificate"] for path in paths]


def test_an_old_folder_that_repeats_its_erasures_is_as_it_was_left(tmp_path: Path, finished: Copy) -> None:
    run, old = finished(tmp_path / "run"), finished(tmp_path / "old")
    (home,) = run.clients_of()["u07"]
    forgotten(run, "u07")
    put_back(run, old, home)
    forgotten(run, "u11")
    verdict = verified(run)
    assert verdict.ok and verdict.unchecked == ()


def test_an_import_is_a_note_and_no_finding(tmp_path: Path, finished: Copy) -> None:
    run = finished(tmp_path / "run")
    forgotten(run, "u07")
    name = run.clients[0]
    store = run.client(name)
    rows = store.interactions()
    some = rows.take(rows.user == 0)
    run.homes[store.name].write_interactions(replace(some, user_ids=("newcomer", *some.user_ids[1:])), run.catalogue)
    forgotten(run, "u11")
    verdict, (note,) = verified(run), verified(run).unchecked
    assert verdict.ok and f"{name} has other rows than" in note and "imported" in note
    assert findings.findings(Workflow(run), evidence=True) == []
    audited = CliRunner().invoke(app, ["audit", "--run", str(run.folder), "--json", "-"])
    assert audited.exit_code == 0, audited.output
    assert all(f"{name} has other rows" in each for each in json.loads(audited.stdout)["unchecked"])
    keys = tmp_path / "operators.pem"
    keys.write_text(Workflow(run).operators.export("operator"))
    erasure = run.folder / "erasure"
    whole = ["verify", str(erasure / "certificates"), "--bundle", str(erasure / "bundles"), "--key", str(keys)]
    result = CliRunner().invoke(app, whole)
    assert result.exit_code == 0 and "not checked" in result.output and "2 in a row" in result.output
    alone = CliRunner().invoke(app, [*whole, "--previous", str(keys)])
    assert isinstance(alone.exception, FedrecError) and "leave it out" in str(alone.exception)
