"""`fedrec simulate`: what it creates, and what it finds again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

from fedrec.config import RunConfig
from fedrec.data.dataset import Dataset
from fedrec.data.load import load_dataset
from fedrec.data_settings import DataConfig
from fedrec.errors import Interrupted, UsageError
from server import prepare
from server.commands.simulate import simulate
from server.launch import NOBODY, Listener, configured, created, reopened, start
from server.transports.in_process import InProcess
from tests.conftest import Settings


@pytest.mark.parametrize("lost", [(), ("ditto",), ("ditto", "local")])
def test_a_run_killed_before_its_baselines_were_created_resumes_with_them(
    lost: tuple[str, ...], tmp_path: Path, small: Settings
) -> None:
    runs = created(configured(small(), ["pplr", "ditto", "local"]), tmp_path / "run")
    for name in lost:
        shutil.rmtree(tmp_path / "run" / "baselines" / name)
    again = reopened(tmp_path / "run")
    assert [run.config.strategy for run in again] == ["pplr", "ditto", "local"]
    assert [run.config for run in again] == [run.config for run in runs]


def test_a_mistaken_baseline_is_told_before_anything_is_written(tmp_path: Path, small: Settings) -> None:
    with pytest.raises(UsageError, match="fedsgd"):
        start(configured(small(), ["pplr", "fedsgd"]), tmp_path / "run", InProcess(), NOBODY)
    with pytest.raises(UsageError, match=r"federation\.fraction must be 1"):
        start(configured(small(federation__fraction=0.5), ["pplr", "central"]), tmp_path / "run", InProcess(), NOBODY)
    assert not (tmp_path / "run").exists()


def test_a_run_and_its_baselines_are_prepared_from_one_reading(
    tmp_path: Path, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []

    def counted(config: DataConfig, seed: int) -> Dataset:
        read.append(config)
        return load_dataset(config, seed)

    monkeypatch.setattr(prepare, "load_dataset", counted)
    config = configured(small(clients__by="kmeans"), ["pplr", "local", "central"])
    runs = prepare.finish_all(created(config, tmp_path / "run"))
    assert all(run.prepared for run in runs)
    assert len(read) == 1
    pplr, local, central = (run.reference for run in runs)
    assert pplr == local == central
    for name in runs[0].clients:
        assert runs[0].rows_of(name).user_ids == runs[1].rows_of(name).user_ids
    assert runs[2].clients == ("central",)


def test_doubts_about_the_data_are_told_before_a_base_model_is_loaded(
    tmp_path: Path, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("server.public_facts.checked_base", stop)
    with pytest.raises(Interrupted, match=f"stopped; continue with `fedrec simulate --resume {tmp_path / 'run'}`"):
        start(configured(small(data__like_above=0), ()), tmp_path / "run", InProcess(), Listener(told.extend))
    assert [line.startswith("288 of 288 rows are likes above 0 (as given); ") for line in told] == [True]
    assert "--like-above" in told[0]


def test_doubts_stay_with_the_run(tmp_path: Path, small: Settings) -> None:
    told: list[str] = []
    (run,) = prepare.finish_all(created(configured(small(data__like_above=0), ()), tmp_path / "run"), told.extend)
    assert run.reference.notes[0] == f"warning: {told[0]}"
    assert prepare.finish_all([run], told.extend) and told == 2 * run.reference.warnings


def test_nothing_is_reported_home() -> None:
    code = "import server.training, os; from flwr.supercore import telemetry as t; print(t.FLWR_TELEMETRY_ENABLED, "
    code += "os.environ['RAY_USAGE_STATS_ENABLED'])"
    environment = {
        k: v for k, v in os.environ.items() if k not in ("FLWR_TELEMETRY_ENABLED", "RAY_USAGE_STATS_ENABLED")
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "0 0\n"


def test_the_help_tells_the_defaults_of_the_configuration() -> None:
    plain = RunConfig()
    known = {
        "clients": plain.clients.count, "rounds": plain.federation.rounds, "strategy": plain.strategy,
        "shards": plain.shards, "seed": plain.seed,
    }  # fmt: skip
    hints = get_type_hints(simulate, include_extras=True)
    assert {name: hints[name].__metadata__[0].show_default for name in known} == {k: str(v) for k, v in known.items()}
