"""Old copies put back beside a ledger that is edited, exchanged or gone: nothing answers, and no look changes that."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from fedrec.errors import FedrecError
from server.freshness import check_current
from server.simulated_run import SimulatedRun
from tests.server.integrity.test_replay import forget, whole_clients_and_rounds
from tests.server.test_federated_executor import Copy, asked, of
from tests.unlearning.requests.office import Operators
from unlearning.requests.ledger import Ledger
from unlearning.requests.policy import Policy
from unlearning.requests.subjects import SubjectKeys


def emptied(run: SimulatedRun, _: pytest.MonkeyPatch) -> None:
    """What the ledger remembers of the clients' erasures."""
    with sqlite3.connect(run.folder / "erasure" / "ledger.db") as database:
        assert database.execute("DELETE FROM links").rowcount


def another_database(run: SimulatedRun, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("FEDREC_LEDGER", f"sqlite:///{run.folder.parent / 'other.db'}")


def an_empty_database(run: SimulatedRun, patch: pytest.MonkeyPatch) -> None:
    Ledger(
        f"sqlite:///{run.folder.parent / 'other.db'}", SubjectKeys(run.folder.parent / "keys"), Policy(), Operators()
    ).close()
    another_database(run, patch)


def gone(run: SimulatedRun, _: pytest.MonkeyPatch) -> None:
    for path in (run.folder / "erasure").glob("ledger.db*"):
        path.unlink()


def certificates_gone(run: SimulatedRun, patch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(run.folder / "erasure" / "certificates")
    emptied(run, patch)


@pytest.mark.parametrize("attack", [emptied, another_database, an_empty_database, gone, certificates_gone])
def test_no_edit_of_the_ledger_lets_an_old_copy_answer_and_no_check_disarms_another(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch, attack: Callable[..., None]
) -> None:
    """What the clients must have done is what the certificates say, whichever rows the ledger has."""
    run, old = finished(tmp_path / "run"), finished(tmp_path / "old")
    asked(run, *of("u07"))
    assert forget(run, "run").exit_code == 0
    whole_clients_and_rounds(old.folder, run.folder)
    attack(run, monkeypatch)
    files = {path for path in tmp_path.rglob("*") if path.is_file()}
    for command in ("audit", "status", "run", "list", "audit"):
        assert forget(run, command).exit_code == 1 or command in ("status", "list")
        with pytest.raises(FedrecError, match=r"restore|nothing answers"):
            check_current(run)
    made = {path for path in tmp_path.rglob("*") if path.is_file()} - files
    assert not [path for path in made if path.suffix == ".db"]
