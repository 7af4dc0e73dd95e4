"""A transport from outside: one file, and one line of the table."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from fedrec.cli import cli
from fedrec.errors import UsageError
from server.transports import TRANSPORTS
from server.transports.transport import Transport
from tests.cli import as_sets, hash_of
from tests.conftest import Settings
from tests.seams import toy_transport


def test_what_comes_of_a_run_does_not_depend_on_it(
    tmp_path: Path, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int] = []

    class Counted(toy_transport.LastFirst):
        def reach(self, run):
            used.append(len(run.clients))
            return super().reach(run)

    monkeypatch.setattr(toy_transport, "LastFirst", Counted)
    monkeypatch.setitem(TRANSPORTS, "last-first", "tests.seams.toy_transport:LastFirst")
    hashes = set()
    for name in ("in-process", "last-first"):
        arguments = ["--out", str(tmp_path / name), "--transport", name, *as_sets(small(federation__rounds=1))]
        done = CliRunner().invoke(cli, ["simulate", *arguments], catch_exceptions=False)
        assert done.exit_code == 0
        hashes.add(hash_of(tmp_path / name))
    assert len(hashes) == 1
    assert used == [3]


def test_a_name_that_is_none_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--transport pigeon: choose processes, in-process"):
        CliRunner().invoke(
            cli, ["simulate", "--out", str(tmp_path / "run"), "--transport", "pigeon"],
            catch_exceptions=False, standalone_mode=False,
        )  # fmt: skip
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", TRANSPORTS)
def test_every_line_is_a_transport(name: str) -> None:
    assert issubclass(TRANSPORTS.load(name), Transport)
