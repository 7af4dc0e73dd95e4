"""`fedrec forget` from the command line, in a row, as a data-protection officer types it; and what mistakes get."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fedrec.errors import FedrecError
from fedrec.store import Run, open_run
from server.forget.commands import app
from tests.server.test_erasure import Copy, finished, served

__all__ = ["finished"]  # a fixture

Forget = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, finished: Copy) -> Run:
    return finished(tmp_path / "run")


@pytest.fixture
def forget(run: Run) -> Forget:
    def call(*arguments: object, fails: bool = False) -> Result:
        command, *others = map(str, arguments)
        where = [] if command == "verify" else ["--run", str(run.folder)]
        result = CliRunner().invoke(app, [command, *others, *where])
        assert (result.exit_code != 0) == fails, (result.output, result.exception)
        return result

    return call


def said(result: Result) -> str:
    return str(result.exception) if isinstance(result.exception, FedrecError) else result.output


def test_from_the_request_to_the_certificate(run: Run, forget: Forget, tmp_path: Path) -> None:
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
    assert {"id", "state", "claim", "shards", "withdrawn_seconds", "restored_seconds", "certificate"} == set(outcome)
    assert (outcome["state"], outcome["claim"], outcome["shards"]) == ("closed", "retrained without", planned["shards"])
    assert 0 < outcome["withdrawn_seconds"] <= outcome["restored_seconds"]
    assert "1 closed" in forget("status").output
    assert "nothing to do" in forget("run").output
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


def test_a_file_of_many_is_one_batch(run: Run, forget: Forget, tmp_path: Path) -> None:
    (tmp_path / "who.txt").write_text("u01\nu02\n\nu03\n")
    found = json.loads(forget("submit", "--file", tmp_path / "who.txt", "--json", "-").stdout)["requests"]
    assert all(request["id"] in forget("approve").output for request in found[:1])
    assert "no request waits" in forget("approve").output
    outcomes = json.loads(forget("run", "--json", "-").stdout)["requests"]
    assert [outcome["state"] for outcome in outcomes] == ["closed"] * 3
    assert {"u01", "u02", "u03"}.isdisjoint(open_run(run.folder).client_of())
    listed = json.loads(forget("list", "--json", "-").stdout)["requests"]
    assert {request["state"] for request in listed} == {"closed"}


def test_another_must_approve_where_there_are_two(forget: Forget) -> None:
    forget("keys", "--create", "anna")
    forget("keys", "--create", "ben")
    id_ = json.loads(forget("submit", "--user", "u05", "--by", "anna", "--json", "-").stdout)["id"]
    assert "anna" in said(forget("approve", id_, "--by", "anna", fails=True))
    assert "identified" in forget("approve", id_, "--by", "ben").output
    forget("keys", "--revoke", "ben")
    assert "revoked" in forget("keys").output


def test_held_extended_and_refused(forget: Forget) -> None:
    id_ = json.loads(forget("submit", "--user", "u05", "--json", "-").stdout)["id"]
    first = json.loads(forget("status", "--json", "-").stdout)["open"][0]["due_at"]
    forget("extend", id_, "--reason", "many requests")
    assert json.loads(forget("status", "--json", "-").stdout)["open"][0]["due_at"] > first
    forget("hold", id_, "--reason", "a legal duty")
    assert "nothing to do" in forget("run").output
    forget("release", id_)
    forget("refuse", id_, "--reason", "not the account's owner", "--complaint", "the authority")
    assert "1 refused" in forget("status").output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("submit",), "nothing is named to be forgotten"),
        (("submit", "--user", "nobody"), "--user nobody: not in the data"),
        (("submit", "--client", "nobody"), "--client nobody: no such client"),
        (("submit", "--item", "nothing"), "--item nothing: not in the catalogue"),
        (("submit", "--user", "u01", "--from", "tomorrow"), "--from tomorrow: write a day as 2026-01-31"),
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
