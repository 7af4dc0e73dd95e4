"""`fedrec forget` from the command line, in a row, as a data-protection officer types it; and what mistakes get."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fedrec.errors import FedrecError
from fedrec.reporting.erasure_section import KINDS, STATES
from server.commands.forget import app
from server.commands.report import report
from server.simulated_run import SimulatedRun, open_run
from tests.reporting.pages import Page
from tests.server.test_federated_executor import Copy, served
from unlearning.requests.scope import Kind
from unlearning.requests.states import State

Forget = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, finished: Copy) -> SimulatedRun:
    return finished(tmp_path / "run")


@pytest.fixture
def forget(run: SimulatedRun) -> Forget:
    def call(*arguments: object, fails: bool = False) -> Result:
        command, *others = map(str, arguments)
        where = [] if command == "verify" else ["--run", str(run.folder)]
        result = CliRunner().invoke(app, [command, *others, *where])
        assert (result.exit_code != 0) == fails, (result.output, result.exception)
        return result

    return call


def said(result: Result) -> str:
    return str(result.exception) if isinstance(result.exception, FedrecError) else result.output


def test_from_the_request_to_the_certificate(run: SimulatedRun, forget: Forget, tmp_path: Path) -> None:
    before = served(run)
    submitted = forget("submit", "--user", "u07", "--json", tmp_path / "s.json")
    assert "made an operator 'operator'" in submitted.output
    request = json.loads((tmp_path / "s.json").read_text())
    assert "u07" not in json.dumps(request)
    assert forget("submit", "--user", "u07", "--json", "-").stdout.count(request["id"]) == 1  # a duplicate is the same
    assert "approved by the one operator" in forget("approve", request["id"]).output.replace("\n", " ")
    planned = json.loads(forget("plan", request["id"], "--json", "-").stdout)
    assert len(planned["shards"]) == 1 and planned["rounds"] == 2
    assert served(run) == before  # a plan changes nothing
    assert request["id"] in forget("status").output

    result = json.loads(forget("run", "--json", "-").stdout)
    (outcome,) = result["requests"]
    assert set(outcome) == {
        "id", "state", "claim", "reason", "shards", "withdrawn_seconds", "restored_seconds", "certificate",
    }  # fmt: skip
    assert (outcome["state"], outcome["claim"], outcome["shards"]) == ("closed", "retrained without", planned["shards"])
    assert 0 < outcome["withdrawn_seconds"] <= outcome["restored_seconds"]
    assert "1 closed" in forget("status").output
    assert "nothing to do" in forget("run").output
    assert "is closed: there is nothing to plan" in said(forget("plan", request["id"], fails=True))
    assert outcome["certificate"] in forget("certificate", request["id"]).output.replace("\n", "")

    bundle = run.folder / "erasure" / "bundles" / request["id"]
    pem = tmp_path / "operator.pem"
    pem.write_text(forget("keys", "--export", "operator").output)
    forget("verify", outcome["certificate"], "--bundle", bundle, "--key", pem)
    data = bytearray(Path(outcome["certificate"]).read_bytes())
    data[len(data) // 2] ^= 1
    altered = tmp_path / "altered.json"
    altered.write_bytes(bytes(data))
    forget("verify", altered, "--bundle", bundle, fails=True)
    assert "no Ed25519 public key" in said(forget("verify", outcome["certificate"], "--key", altered, fails=True))
    forget("keys", "--create", "stranger")
    pem.write_text(forget("keys", "--export", "stranger").output)
    forget("verify", outcome["certificate"], "--bundle", bundle, "--key", pem, fails=True)
    assert "not in the data" in said(forget("submit", "--user", "u07", fails=True))


def test_a_part_of_a_person_from_the_command_line(run: SimulatedRun, forget: Forget) -> None:
    rows = run.interactions()
    theirs = rows.take(rows.user == rows.user_ids.index("u07"))
    first, last = (run.catalogue.ids[theirs.item[place]] for place in (0, -1))  # one to learn from, and one of the test
    learned = json.loads(forget("submit", "--user", "u07", "--item", first, "--json", "-").stdout)["id"]
    tested = json.loads(forget("submit", "--user", "u07", "--item", last, "--json", "-").stdout)["id"]
    forget("approve")
    assert "none learned from it" in forget("plan", tested).output
    assert "never learned from (no shard" in forget("plan", tested).output
    outcomes = {each["id"]: each for each in json.loads(forget("run", "--json", "-").stdout)["requests"]}
    assert {id_: each["claim"] for id_, each in outcomes.items()} == {
        learned: "retrained without", tested: "never learned from",
    }  # fmt: skip
    assert len(run.interactions()) == len(rows) - 2
    assert "a person's rows on the items named" in forget("show", tested).output


def test_a_file_of_many_is_one_batch(run: SimulatedRun, forget: Forget, tmp_path: Path) -> None:
    (tmp_path / "who.txt").write_text("u01\nu02\n\nu03\n")
    found = json.loads(forget("submit", "--file", tmp_path / "who.txt", "--json", "-").stdout)["requests"]
    assert all(request["id"] in forget("approve").output for request in found[:1])
    assert "no request waits" in forget("approve").output
    outcomes = json.loads(forget("run", "--json", "-").stdout)["requests"]
    assert [outcome["state"] for outcome in outcomes] == ["closed"] * 3
    assert {"u01", "u02", "u03"}.isdisjoint(open_run(run.folder).clients_of())
    listed = json.loads(forget("list", "--json", "-").stdout)["requests"]
    assert {request["state"] for request in listed} == {"closed"}


def test_another_must_approve_where_there_are_two(forget: Forget) -> None:
    forget("keys", "--create", "anna")
    forget("keys", "--create", "ben")
    forget("keys", "--create", "cleo")
    id_ = json.loads(forget("submit", "--user", "u05", "--by", "anna", "--json", "-").stdout)["id"]
    assert "anna" in said(forget("approve", id_, "--by", "anna", fails=True))
    assert "identified, approved" in forget("approve", id_, "--by", "ben").output
    again = forget("approve", id_, "--by", "cleo").output  # which counts for nothing
    assert "approved by ben before: nothing changed" in again.replace("\n", " ")
    forget("hold", id_, "--reason", "a", "--by", "ben")
    assert "held before: nothing changed" in forget("hold", id_, "--reason", "b", "--by", "ben").output
    forget("keys", "--revoke", "ben")
    assert "revoked" in forget("keys").output


def test_decisions_are_signed_and_in_the_audit_log(run: SimulatedRun, forget: Forget) -> None:
    forget("keys", "--create", "anna")
    forget("keys", "--create", "ben")
    id_ = json.loads(forget("submit", "--user", "u05", "--json", "-").stdout)["id"]
    first = json.loads(forget("status", "--json", "-").stdout)["open"][0]["due_at"]
    extended = json.loads(forget("extend", id_, "--reason", "many requests", "--by", "ben", "--json", "-").stdout)
    assert extended["due_at"] > first and extended["reasons"] == {"extended": "many requests"}
    assert "held, to be answered by" in forget("hold", id_, "--reason", "a legal duty").output
    assert "nothing to do" in forget("run").output
    assert json.loads(forget("release", id_, "--by", "ben", "--json", "-").stdout)["state"] == "received"
    refusal = ("refuse", id_, "--reason", "not the account's owner", "--complaint", "the authority", "--by", "anna")
    assert json.loads(forget(*refusal, "--json", "-").stdout)["state"] == "refused"
    assert "1 refused" in forget("status").output
    lines = [json.loads(line) for line in (run.folder / "erasure" / "audit.jsonl").read_text().splitlines()]
    found = [(line["event"], line["facts"]["operator"]) for line in lines if "operator" in line["facts"]]
    assert found[:2] == [("operator-registered", "anna"), ("operator-registered", "ben")]
    assert found[3:] == [("extended", "ben"), ("held", "anna"), ("released", "ben"), ("refused", "anna")]
    assert all(line["facts"]["request"] == id_ for line in lines[2:])


def test_who_may_not_decide_gets_one_line(run: SimulatedRun, forget: Forget) -> None:
    forget("keys", "--create", "anna")
    forget("keys", "--create", "max", "--role", "requester")
    forget("keys", "--create", "gone")
    forget("keys", "--revoke", "gone")
    id_ = json.loads(forget("submit", "--user", "u05", "--by", "max", "--json", "-").stdout)["id"]
    told = {
        "max": "operator 'max': has not the role approver",
        "gone": "operator 'gone': revoked",
        "eve": "operator 'eve': unknown",
    }
    why = ("--reason", "because")
    decisions = (("approve",), ("hold", *why), ("release",), ("extend", *why), ("refuse", *why, "--complaint", "there"))
    for name, words in told.items():
        for decision, *options in decisions:
            message = said(forget(decision, id_, *options, "--by", name, fails=True))
            assert words in message and "\n" not in message
        assert f"--by {name}: no signer in force" in said(forget("run", "--by", name, fails=True))
    assert json.loads(forget("list", "--json", "-").stdout)["requests"][0]["state"] == "received"
    rejected = [
        line for line in (run.folder / "erasure" / "audit.jsonl").read_text().splitlines() if "rejected" in line
    ]
    assert len(rejected) == len(decisions) and all("wrong-role" in line for line in rejected)


def test_the_page_tells_of_the_requests_and_of_nobody(run: SimulatedRun, forget: Forget) -> None:
    people = set(run.clients_of())
    done = json.loads(forget("submit", "--user", "u07", "--json", "-").stdout)["id"]
    forget("approve", done)
    waits = json.loads(forget("submit", "--user", "u05", "--json", "-").stdout)["id"]
    (outcome,) = json.loads(forget("run", "--json", "-").stdout)["requests"]
    path = run.folder / "report.html"
    page = path.read_text()
    found = Page(page)
    closed = found.texts[found.texts.index("Closed, and what each took") :]
    row = closed[closed.index(done) :]
    assert row[6:9] == [str(outcome["shards"][0]), "2", f"{outcome['withdrawn_seconds']:.2f} s"]
    assert waits in found.texts[: found.texts.index("Closed, and what each took")]
    assert all((run.folder / attrs["href"]).is_file() for attrs in found.named("a")) and len(found.named("a")) == 2
    assert closed[closed.index("All clients") : closed.index("How it was made")][3] == str(len(people) - 1)
    assert not [user for user in people if user in page]
    pseudonyms = {request["pseudonym"] for request in json.loads(forget("list", "--json", "-").stdout)["requests"]}
    assert not [pseudonym for pseudonym in pseudonyms if pseudonym in page]
    path.unlink()
    report([run.folder])
    assert path.read_text() == page


def test_the_page_has_words_for_every_state_and_kind() -> None:
    assert set(STATES) == set(State) and set(KINDS) == set(Kind)


def test_the_page_is_of_the_ledger_that_is_named(
    run: SimulatedRun, forget: Forget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    id_ = json.loads(forget("submit", "--user", "u07", "--database", elsewhere, "--json", "-").stdout)["id"]

    def shown() -> bool:
        report([run.folder])
        return id_ in (run.folder / "report.html").read_text()

    with pytest.raises(FedrecError, match=r"not there, and the audit log tells of requests; .* name the right one"):
        shown()
    assert not (run.folder / "erasure" / "ledger.db").exists()
    monkeypatch.setenv("FEDREC_LEDGER", elsewhere)
    assert shown() and id_ in forget("status").output


def test_a_request_that_no_row_meets_is_taken_and_says_so(forget: Forget) -> None:
    submitted = forget("submit", "--user", "u01", "--from", "2098-01-01", "--json", "-")
    assert "no record of it is found now" in submitted.output
    assert "user, dates  due" in forget("list").output and "user, dates  due" in forget("status").output
    assert "no record" not in said(forget("submit", "--user", "u01"))
    assert "withdrawn at once" not in said(forget("plan", json.loads(submitted.stdout)["id"]))


def test_an_item_given_by_its_title_is_told_by_its_id(run: SimulatedRun, forget: Forget) -> None:
    id, title = run.catalogue.ids[0], run.catalogue.titles[0]
    assert f"that is the title of {id}: give --item {id}" in said(forget("submit", "--item", title, fails=True))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("submit",), "nothing is named to be forgotten"),
        (("submit", "--user", "nobody"), "--user nobody: not in the data"),
        (("submit", "--client", "nobody"), "--client nobody: no such client"),
        (("submit", "--item", "nothing"), "--item nothing: not in the catalogue"),
        (("submit", "--user", "nobody", "--by", "zoe"), "operator 'zoe': unknown"),
        (("plan", "0", "--json", "nowhere/r.json"), "there is no folder nowhere"),
        (("submit", "--user", "u01", "--from", "tomorrow"), "--from tomorrow: write a day as 2026-01-31"),
        (("submit", "--user", "u01", "--from", "2026-02-01", "--to", "2026-01-31"), "--from 2026-02-01 is after --to"),
        (("submit", "--file", "nowhere.txt"), "--file nowhere.txt: cannot be read"),
        (("approve", "0"), "request 0: not in the ledger"),
        (("plan", "0"), "request 0: not in the ledger"),
        (("certificate", "0"), "request 0: no"),
        (("keys", "--create", "a b"), "operator 'a b'"),
        (("verify", "nowhere.json"), "nowhere.json"),
    ],
)
def test_mistakes_get_one_line(forget: Forget, arguments: tuple[str, ...], told: str) -> None:
    assert told in said(forget(*arguments, fails=True))


@pytest.mark.parametrize("command", ["status", "list", "keys"])
def test_what_computes_nothing_imports_nothing_that_does(command: str, run: SimulatedRun) -> None:
    code = (
        "import sys; from fedrec import cli; sys.argv = ['fedrec', 'forget', *sys.argv[1:]]\n"
        "cli.main(); print({'torch', 'flwr', 'matplotlib'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command.split(), "--run", str(run.folder)], capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "set()", done.stdout + done.stderr
