"""Lists of people as programs write them, taken whole or not at all; days that count; and one request looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from fedrec.errors import UsageError
from server.simulated_run import SimulatedRun, open_run
from tests.unlearning.commands.forget.test_app import Forget, forget, run, said
from unlearning.requests.states import State
from unlearning.workflow.workflow import Workflow

__all__ = ["forget", "run"]  # fixtures

LISTS = {
    "as it is": b"u01\nu02\n",
    "byte order mark": "u01\r\nu02\r\n".encode("utf-8-sig"),
    "utf-16": "u01\r\nu02\r\n".encode("utf-16"),
    "utf-16 without a mark": "u01\nu02\n".encode("utf-16-be"),
    "old line ends": b"u01\ru02\r",
    "blanks and marks of no width": "\n u01 \n\n\u200bu02\u00a0\n".encode(),
    "one twice": b"u02\nu01\nu02\n",
}


def asked(result: Result) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(result.stdout)["requests"]
    return found


@pytest.mark.parametrize("content", LISTS.values(), ids=LISTS)
def test_a_list_is_read_as_programs_write_it(run: SimulatedRun, forget: Forget, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "who.txt").write_bytes(content)
    ids = {request["id"] for request in asked(forget("submit", "--file", tmp_path / "who.txt", "--json", "-"))}
    ledger = Workflow(open_run(run.folder)).ledger
    assert sorted(ledger.selection(id).users for id in ids) == [("u01",), ("u02",)]
    assert len(ledger.list()) == 2


def test_a_list_with_bad_lines_submits_nothing_and_names_each(
    run: SimulatedRun, forget: Forget, tmp_path: Path
) -> None:
    path = tmp_path / "who.txt"
    path.write_text("u01\nnobody\n\nu02\nU03\nu0\u200b4\nu05\x1b[2J\n", "utf-8")
    told = said(forget("submit", "--file", path, fails=True))
    assert "line 2 nobody: not in the data" in told and "line 5: id 'U03' looks like id 'u03'" in told
    assert r"line 6: id 'u0\u200b4' looks like id 'u04'" in told and r"line 7 'u05\x1b[2J'" in told
    assert "line 1 " not in told and "line 4 " not in told
    assert "nothing was submitted" in told and "\x1b" not in told and "\n" not in told
    assert not Workflow(run).ledger.list()
    assert not (run.folder / "erasure" / "subjects" / "requests").exists() or not list(
        (run.folder / "erasure" / "subjects" / "requests").iterdir()
    )
    (tmp_path / "raw.txt").write_bytes(b"\xff\xfeu\x00\xd8")
    assert "cannot be read as UTF-8 or UTF-16" in said(forget("submit", "--file", tmp_path / "raw.txt", fails=True))


def test_a_list_that_is_too_long_submits_nothing(run: SimulatedRun, forget: Forget, tmp_path: Path) -> None:
    (run.folder / "erasure").mkdir(exist_ok=True)
    (run.folder / "erasure" / "policy.json").write_text('{"ledger": {"max_submissions_per_hour": 2}}')
    (tmp_path / "who.txt").write_text("u01\nu02\nu03\n")
    told = said(forget("submit", "--file", tmp_path / "who.txt", fails=True))
    assert "0 requests within an hour and 3 more; wait, or raise max_submissions_per_hour" in told
    assert not Workflow(run).ledger.list()


def test_time_runs_from_the_day_of_receipt(forget: Forget, today: Callable[[int], str]) -> None:
    request = json.loads(forget("submit", "--user", "u07", "--received", today(-10), "--json", "-").stdout)
    assert request["received_at"][:10] == today(-10) and request["recorded_at"][:10] == today(0)
    waits = json.loads(forget("status", "--json", "-").stdout)["open"][0]
    assert 17 <= waits["days_left"] <= 21
    assert f"{waits['days_left']} days left" in forget("status").output
    told = said(forget("submit", "--user", "u08", "--received", today(1), fails=True))
    assert f"--received {today(1)}: that day has not come" in told
    assert "write a day as" in said(forget("submit", "--user", "u08", "--received", "10.11.2026", fails=True))


@pytest.fixture
def today() -> Callable[[int], str]:
    return lambda days: f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"


def test_a_last_day_that_is_near_or_over_is_warned_of(forget: Forget, today: Callable[[int], str]) -> None:
    forget("submit", "--user", "u01")
    assert "warning" not in forget("status").output
    near = json.loads(forget("submit", "--user", "u02", "--received", today(-27), "--json", "-").stdout)["id"]
    for command in ("status", "run"):
        assert f"warning: 1 open request due by {today(7)} or late; the first is {near[:8]}, " in forget(command).output
    late = json.loads(forget("submit", "--user", "u03", "--received", today(-40), "--json", "-").stdout)["id"]
    assert "LATE by " in forget("status").output
    assert f"the first is {late[:8]}, LATE by " in forget("status").output
    forget("cancel", near, "--reason", "sent twice")
    assert "warning: 1 open request due" in forget("status").output


def test_the_beginning_of_an_id_is_enough_everywhere(run: SimulatedRun, forget: Forget) -> None:
    whole = json.loads(forget("submit", "--user", "u07", "--json", "-").stdout)["id"]
    short = whole[:6]
    for command in (("plan",), ("show",), ("hold", "--reason", "a duty"), ("release",), ("extend", "--reason", "many")):
        forget(command[0], short, *command[1:])
    assert whole in forget("show", short).output
    assert "it is received" in said(forget("certificate", short, fails=True))
    assert whole in forget("approve", short).output
    other = json.loads(forget("submit", "--user", "u08", "--json", "-").stdout)["id"]
    assert "cancelled" in forget("cancel", other[:8], "--reason", "a slip").output
    third = json.loads(forget("submit", "--user", "u09", "--json", "-").stdout)["id"]
    assert "refused" in forget("refuse", third[:8], "--reason", "not theirs", "--complaint", "the authority").output
    forget("run")
    assert str(Workflow(run).certificates / f"{whole}.json") in forget("certificate", short).output.replace("\n", "")


def test_a_cancelled_request_changes_nothing_and_can_be_asked_again(run: SimulatedRun, forget: Forget) -> None:
    id_ = json.loads(forget("submit", "--user", "u07", "--json", "-").stdout)["id"]
    forget("approve", id_)
    assert (
        json.loads(forget("cancel", id_, "--reason", "no longer wanted", "--json", "-").stdout)["state"] == "cancelled"
    )
    assert "nothing to do" in forget("run").output and "1 cancelled" in forget("status").output
    assert "u07" in open_run(run.folder).clients_of()
    assert "cannot become" in said(forget("hold", id_, "--reason", "a duty", fails=True))
    assert json.loads(forget("submit", "--user", "u07", "--json", "-").stdout)["id"] != id_
    assert not list((run.folder / "erasure" / "subjects").rglob(f"{id_}*"))


def test_all_that_is_known_of_one_request_is_shown_and_nobody_is_named(run: SimulatedRun, forget: Forget) -> None:
    id_ = json.loads(forget("submit", "--user", "u07", "--channel", "a letter", "--json", "-").stdout)["id"]
    forget("extend", id_, "--reason", "many requests")
    forget("approve", id_, "--identity", "passport")
    shown = forget("show", id_).output
    for words in (id_, "identified", "by a letter", "extended", "days left", "many requests", "identified by passport"):
        assert words in shown
    forget("run")
    shown = forget("show", id_).output
    result = json.loads(forget("show", id_, "--json", "-").stdout)
    assert result["state"] == "closed" and "certificate" in result["documents"] and "u07" not in json.dumps(result)
    assert all(name in shown for name in ("closed", "certificate", "evidence", "page", "reply")) and "u07" not in shown
    assert Workflow(run).ledger.get(id_).state is State.CLOSED


def test_decisions_leave_a_letter(run: SimulatedRun, forget: Forget, today: Callable[[int], str]) -> None:
    (run.folder / "erasure").mkdir(exist_ok=True)
    id_ = json.loads(forget("submit", "--user", "u07", "--received", today(-7), "--json", "-").stdout)["id"]
    told = forget("extend", id_, "--reason", "many requests").output
    assert "letters name no controller" in told
    policy = '{"sender": "Films Ltd, dpo@films.example"}'.encode("utf-16")  # as some editors keep it
    (run.folder / "erasure" / "policy.json").write_bytes(policy)
    told = forget("hold", id_, "--reason", "a lawsuit").output
    assert "letters name no controller" not in told
    forget("refuse", id_, "--reason", "not the account's owner", "--complaint", "the authority")
    letters = {
        name: Path(path).read_text("utf-8")
        for name, path in json.loads(forget("show", id_, "--json", "-").stdout)["documents"].items()
    }
    assert set(letters) == {"extension", "holding", "refusal"}
    due = Workflow(run).ledger.get(id_).due_at
    assert "many requests" in letters["extension"] and str(due) in letters["extension"]
    assert "the operator of this recommender" in letters["extension"]
    assert "a lawsuit" in letters["holding"] and "not the account's owner" in letters["refusal"]
    for name, text in letters.items():
        assert f"received on {today(-7)}" in text and "Art. 77" in text and "u07" not in text
        assert name == "extension" or "From: Films Ltd" in text


def test_whoever_is_named_is_named_in_the_datas_spelling(run: SimulatedRun) -> None:
    assert run.recommend("\ufeffu07 ", 3) == run.recommend("u07", 3)
    with pytest.raises(UsageError, match="--user: id 'U07' looks like id 'u07'"):
        run.recommend("U07", 3)


@pytest.mark.parametrize("day", ["\uff12020-01-01", "0001-01-01", "2020-1-1", " 2020-01-01", "20200101", "9999-12-31"])
@pytest.mark.parametrize("option", ["--from", "--to", "--received"])
def test_a_day_is_one_that_may_have_been(run: SimulatedRun, forget: Forget, day: str, option: str) -> None:
    told = said(forget("submit", "--user", "u07", option, day, fails=True))
    assert told.startswith(f"{option} ") and ("write a day as" in told or "mend the year" in told)
    assert not Workflow(run).ledger.list()


def test_a_letter_of_another_script_is_pointed_out(forget: Forget) -> None:
    told = said(forget("submit", "--user", "u\u043e7", fails=True))
    assert "not in the data" in told and r"id 'u\u043e7' looks like id 'u07', which is there" in told
    assert "looks like" not in said(forget("submit", "--user", "u99", fails=True))


def test_what_a_request_is_of_is_said_in_words(forget: Forget) -> None:
    whole = json.loads(forget("submit", "--user", "u07", "--json", "-").stdout)["id"]
    part = json.loads(forget("submit", "--user", "u08", "--from", "2015-01-01", "--json", "-").stdout)["id"]
    assert "all a person's rows\n" in forget("show", whole).output
    assert " a person's rows of the days named\n" in forget("show", part).output
