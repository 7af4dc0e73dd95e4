"""Whoever has the source file at hand tries everybody on what an erasure leaves behind, and learns no name."""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fedrec.commands.data import app as data_app
from fedrec.data.dataset import Interactions
from fedrec.data.selection import Selection, without
from fedrec.vault.rows import content_hash, named
from server.simulated_run import SimulatedRun, open_run
from tests.conftest import Settings
from tests.server.test_federated_executor import Copy, asked, execution, of, trained, trained_now
from unlearning.workflow.workflow import Workflow

PERSON = "u07"


@pytest.fixture
def run(tmp_path: Path, finished: Copy) -> SimulatedRun:
    return finished(tmp_path / "run")


def contents_of(run: SimulatedRun, id_: str) -> str:
    """Everything that is handed out of one erasure: certificate, evidence, page and reply."""
    paths = Workflow(run).documents_of(id_).values()
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return "\n".join(file.read_text("utf-8") for file in files)


def guesses(rows: Interactions, run: SimulatedRun) -> dict[str, set[str]]:
    """By person, whatever hash the data would have without them, plain or under what stands in the bundle."""
    found = {}
    for user in rows.user_ids:
        left = without(rows, Selection(users=(user,)).mask(rows, run.catalogue))
        content = content_hash(named(left, run.catalogue))
        known = [b"", str(run.config.seed).encode(), b"check"]
        found[user] = {content, hashlib.sha256(content.encode()).hexdigest()}
        found[user] |= {hmac.digest(key, content.encode(), "sha256").hex() for key in known}
        found[user] |= {hashlib.sha256(text.encode()).hexdigest() for text in (user, f"user:{user}")}
    return found


def test_no_hash_of_what_is_left_tells_who_went(run: SimulatedRun) -> None:
    (home,) = run.clients_of()[PERSON]
    before = run.rows_of(home)
    (id_,) = asked(run, *of(PERSON))
    execution(run).run()
    after = run.client(home)
    tried = guesses(before, run)
    plain = content_hash(named(after.interactions(), run.catalogue))
    assert [user for user, hashes in tried.items() if plain in hashes] == [PERSON]  # the attack works on a plain hash
    told = contents_of(open_run(run.folder), id_)
    assert not [user for user, hashes in tried.items() if any(guess in told for guess in hashes)]
    assert after.vault.manifest().digest in told  # whoever holds the vault's key can tell that these are the rows
    assert not [key for key in (run.folder / "erasure" / "subjects").rglob("*") if key.is_file()]


def test_what_is_left_after_one_is_what_the_next_begins_with(run: SimulatedRun) -> None:
    workflow = Workflow(run)
    for user in (PERSON, "u11"):
        asked(run, *of(user))
        execution(run).run()
    closed = sorted(workflow.ledger.list(), key=lambda request: request.recorded_at)
    first, second = (json.loads((workflow.bundle(each.id) / "data_manifest.json").read_bytes()) for each in closed)
    assert first["after"] == second["before"] and first["before"] != first["after"] != second["after"]


def test_no_number_of_rows_is_handed_out(tmp_path: Path, small: Settings, ratings: Path) -> None:
    """With the source at hand it would be enough to tell some people from all others."""
    lines = list(csv.reader(ratings.open()))
    kept = [line for place, line in enumerate(lines) if line[0] != PERSON or place % 12 < 9]
    path = tmp_path / "few.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(kept)
    run = trained(tmp_path / "run", small(shards=2, train__epochs=1, data__path=str(path)))
    (home,) = run.clients_of()[PERSON]
    theirs = dict(run.client(home).vault.users())[PERSON]
    rows = len(run.rows_of(home))
    (id_,) = asked(run, *of(PERSON))
    execution(run).run()
    folder = Workflow(run).bundle(id_)
    for name in ("plan.json", "data_manifest.json", "request.json", "verification.json", "adapters.json"):
        numbers = set(numbers_in(json.loads((folder / name).read_bytes())))
        assert not numbers & {theirs, rows, rows - theirs}, name


def numbers_in(content: Any) -> Iterator[float]:
    if isinstance(content, dict | list):
        for value in content.values() if isinstance(content, dict) else content:
            yield from numbers_in(value)
    elif isinstance(content, int | float) and not isinstance(content, bool):
        yield content


def test_an_inspected_run_shows_who_is_there_and_nobody_else(run: SimulatedRun) -> None:
    def listed() -> tuple[set[str], int, str]:
        called = CliRunner().invoke(
            data_app, ["inspect", "--homes", str(run.homes_folder), "--users", "100", "--json", "-"]
        )
        assert called.exit_code == 0, called.exception
        tree = json.loads(called.stdout)
        return {user["user"] for user in tree["users_listed"]}, tree["rows"], called.stdout

    everybody, rows, _ = listed()
    asked(run, *of(PERSON))
    execution(run).run()
    there, left, told = listed()
    assert everybody - there == {PERSON} and PERSON not in told and left == rows - 12
    assert None not in {user["client"] for user in json.loads(told)["users_listed"]}


def test_all_of_a_run_is_its_owners_alone(tmp_path: Path, small: Settings) -> None:
    before = os.umask(0o022)
    try:
        run = trained_now(tmp_path / "run", small(shards=2, train__epochs=1))
        asked(run, *of(PERSON))
        assert open_to_others(run.folder) == []
        execution(run).run()
        assert open_to_others(run.folder) == []
    finally:
        os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    paths = [folder, *folder.rglob("*")]
    assert len(paths) > 30
    return [str(path) for path in paths if stat.S_IMODE(path.stat().st_mode) != (0o700 if path.is_dir() else 0o600)]
