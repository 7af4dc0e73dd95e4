"""Ways to delete, cut, move or edit what a run's erasures left, each by a name."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from server.simulated_run import SimulatedRun
from unlearning.workflow.workflow import Workflow


def log_of(run: SimulatedRun) -> Path:
    return Workflow(run).audit.path


def lines_of(run: SimulatedRun) -> list[bytes]:
    return log_of(run).read_bytes().splitlines(keepends=True)


def certificates(run: SimulatedRun) -> list[Path]:
    """In the order in which they were issued."""
    paths = list(Workflow(run).certificates.glob("*.json"))
    return sorted(paths, key=lambda path: json.loads(path.read_bytes())["certificate"]["previous"] is not None)


def edit(run: SimulatedRun, statement: str, *values: object) -> None:
    with sqlite3.connect(run.folder / "erasure" / "ledger.db") as database:
        assert database.execute(statement, values).rowcount == 1


def id_in(run: SimulatedRun, state: str) -> str:
    return next(request.id for request in Workflow(run).ledger.list() if request.state == state)


def without_line(index: int) -> Callable[[SimulatedRun], None]:
    def change(run: SimulatedRun) -> None:
        lines = lines_of(run)
        del lines[index]
        log_of(run).write_bytes(b"".join(lines))

    return change


def swapped(run: SimulatedRun) -> None:
    lines = lines_of(run)
    lines[3], lines[4] = lines[4], lines[3]
    log_of(run).write_bytes(b"".join(lines))


def cut_to(part: float) -> Callable[[SimulatedRun], None]:
    def change(run: SimulatedRun) -> None:
        lines = lines_of(run)
        log_of(run).write_bytes(b"".join(lines[: int(part * len(lines))]))

    return change


def registry(**changes: Any) -> Callable[[SimulatedRun], None]:
    def change(run: SimulatedRun) -> None:
        path = Workflow(run).operators.folder / "operators.json"
        operators = json.loads(path.read_text())
        operators[-1] |= changes
        path.write_text(json.dumps(operators))

    return change


def dated_back_by_a_little(run: SimulatedRun) -> None:
    """To when the first one was made: then the later one would have been there when the request came."""
    first, *_ = json.loads((Workflow(run).operators.folder / "operators.json").read_text())
    registry(created=first["created"])(run)


def operator_gone(run: SimulatedRun) -> None:
    path = Workflow(run).operators.folder / "operators.json"
    path.write_text(json.dumps(json.loads(path.read_text())[:-1]))


def closed_again(run: SimulatedRun) -> None:
    edit(run, "UPDATE requests SET state = 'published' WHERE id = ?", certificates(run)[-1].stem)


def other_certificate(run: SimulatedRun) -> None:
    edit(run, "UPDATE requests SET certificate = ? WHERE id = ?", "00" * 32, certificates(run)[-1].stem)


APPROVED = "UPDATE requests SET state = 'identified', decision = 'approved', approver = ? WHERE id = ?"


def row_gone(run: SimulatedRun) -> None:
    edit(run, "DELETE FROM requests WHERE id = ?", id_in(run, "received"))


def evidence_altered(run: SimulatedRun) -> None:
    path = Workflow(run).bundle(certificates(run)[0].stem) / "plan.json"
    path.write_bytes(path.read_bytes().replace(b'"exact"', b'"exacd"'))


def newest_evidence_altered(run: SimulatedRun) -> None:
    path = Workflow(run).bundle(certificates(run)[-1].stem) / "data_manifest.json"
    path.write_bytes(path.read_bytes() + b" ")


def erasures_struck_out(run: SimulatedRun) -> None:
    edit(run, "DELETE FROM links WHERE client = ? AND number = 2", run.clients[0])


def private_key(run: SimulatedRun) -> None:
    (Workflow(run).operators.folder / "operator.key").write_text("-----BEGIN PRIVATE KEY-----")


WHOLE = {
    "first line": (without_line(0), "audit.jsonl, line 1"),
    "a line in the middle": (without_line(7), "does not follow the line before"),
    "two lines swapped": (swapped, "audit.jsonl, line 4"),
    "cut before the certificates": (cut_to(0.3), "lines are gone"),
    "the last line cut": (without_line(-1), "operator gone"),
    "the log deleted": (lambda run: log_of(run).unlink(), "audit.jsonl: is gone"),
    "the first certificate deleted": (lambda run: certificates(run)[0].unlink(), "missing"),
    "the newest certificate deleted": (lambda run: certificates(run)[-1].unlink(), "its certificate is not the one"),
    "every certificate deleted": (
        lambda run: shutil.rmtree(Workflow(run).certificates), "its certificate is not the one",
    ),
    "a closed request opened again": (closed_again, "the ledger says published, the log closed"),
    "another certificate in the ledger": (other_certificate, "the log does not tell of this certificate"),
    "a request deleted": (row_gone, "it is not in the ledger"),
    "the newest evidence altered": (newest_evidence_altered, "data_manifest.json was altered"),
    "an erasure struck from the ledger": (erasures_struck_out, "it lacks erasures of client-"),
    "an operator deleted": (operator_gone, "the registry does not know them"),
    "a revocation undone": (registry(revoked_at=None), "was revoked, as the log tells"),
    "an operator dated back": (registry(created="2020-01-01T00:00:00Z"), "at another time than the log tells"),
    "an operator dated back by a little": (dated_back_by_a_little, "at another time than the log tells"),
    "a revocation dated back": (registry(revoked_at="2020-01-01T00:00:00Z"), "at another time than the log tells"),
    "a role added": (registry(roles=["approver", "signer"]), "not those that the log tells of"),
    "a private key in the run": (private_key, "a private key in the run"),
}  # fmt: skip
