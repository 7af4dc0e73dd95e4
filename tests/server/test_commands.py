"""`fedrec simulate`: what it creates, and what it finds again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fedrec.errors import UsageError
from server.commands import _new, _reopened
from tests.conftest import Settings


@pytest.mark.parametrize("lost", [(), ("ditto",), ("ditto", "local")])
def test_a_run_killed_before_its_baselines_were_created_resumes_with_them(
    lost: tuple[str, ...], tmp_path: Path, small: Settings
) -> None:
    runs = _new(small(), "pplr,ditto,local", None, (), tmp_path / "run", False)
    for name in lost:
        shutil.rmtree(tmp_path / "run" / "baselines" / name)
    again = _reopened(tmp_path / "run")
    assert [run.config.strategy for run in again] == ["pplr", "ditto", "local"]
    assert [run.config for run in again] == [run.config for run in runs]


def test_a_mistaken_baseline_is_told_before_anything_is_written(tmp_path: Path, small: Settings) -> None:
    with pytest.raises(UsageError, match="fedsgd"):
        _new(small(), "pplr,fedsgd", None, (), tmp_path / "run", False)
    with pytest.raises(UsageError, match=r"federation\.fraction must be 1"):
        _new(small(federation__fraction=0.5), "pplr,central", None, (), tmp_path / "run", False)
    assert not (tmp_path / "run").exists()
