"""One process, Ray workers, `flwr run`: the same run, whichever mode begins it and whichever ends it."""

from __future__ import annotations

import re
import signal
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from experiments.processes import runs
from server.grid import LocalGrid
from server.simulation import run_rounds
from tests.cli import as_sets, as_toml, hash_of, run, start, until
from tests.conftest import Settings
from tests.server.flower import Flower
from tests.server.test_federation import Dying, made, ran

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> str:
    """The adapter hash of the run in this process."""
    return str(ran(tmp_path_factory.mktemp("expected") / "run", small())["adapter_hash"])


@pytest.fixture(scope="module")
def flower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flower]:
    flower = Flower(tmp_path_factory.mktemp("flower"))
    yield flower
    flower.close()


def test_workers_give_the_same_hash_and_the_same_look(tmp_path: Path, small: Settings, expected: str) -> None:
    shown = {}
    for workers in (0, 2):
        folder = tmp_path / f"with-{workers}"
        code, out, err = run("simulate", "--workers", workers, "--out", folder, *as_sets(small()), cwd=tmp_path)
        assert (code, err) == (0, ""), err
        assert hash_of(folder) == expected
        shown[workers] = re.sub(r" [\d.]+ (s|min)\b", "", " ".join(out.replace(folder.name, "").split()))
    assert shown[0] == shown[2]


def test_a_run_begun_in_this_process_ends_with_workers(tmp_path: Path, small: Settings, expected: str) -> None:
    begun = made(tmp_path / "run", small())
    with pytest.raises(KeyboardInterrupt):
        run_rounds(LocalGrid(Dying(8), 3), begun)  # type: ignore[arg-type]
    assert begun.rounds.last() == 0
    assert run("simulate", "--resume", begun.folder, "--workers", 2, cwd=tmp_path)[0] == 0
    assert hash_of(begun.folder) == expected


def test_stopped_workers_leave_no_process_behind(tmp_path: Path, small: Settings) -> None:
    settings = small(train__epochs=6, train__batch=1, federation__rounds=1)
    process = start("simulate", "--workers", 2, "--out", "run", *as_sets(settings), cwd=tmp_path)
    until((tmp_path / "run" / "rounds" / "0000").exists, process)
    family = psutil.Process(process.pid).children(recursive=True)
    assert any(runs(child, "raylet") for child in family)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=180)
    assert process.returncode == 130
    assert err == "fedrec: stopped; continue with `fedrec simulate --resume run`\n"
    _, alive = psutil.wait_procs(family, timeout=60)
    assert [child.name() for child in alive] == []
    assert not (tmp_path / "run" / "rounds" / "0001").exists()
    assert run("simulate", "--resume", "run", cwd=tmp_path)[0] == 0
    assert hash_of(tmp_path / "run") == ran(tmp_path / "whole", settings)["adapter_hash"]


def test_workers_terminated_while_they_start_leave_no_process_behind(tmp_path: Path, small: Settings) -> None:
    process = start("simulate", "--workers", 2, "--out", "run", *as_sets(small()), cwd=tmp_path)
    parent = psutil.Process(process.pid)
    until(lambda: any(runs(child, "raylet") for child in parent.children(recursive=True)), process)
    family = parent.children(recursive=True)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=180)
    assert (process.returncode, err) == (130, "fedrec: stopped; continue with `fedrec simulate --resume run`\n")
    assert psutil.wait_procs(family, timeout=60)[1] == []


def test_flwr_run_gives_the_same_hash(flower: Flower, tmp_path: Path, small: Settings, expected: str) -> None:
    """Even where it was begun with too few nodes, which is one clear line, soon."""
    config, folder = as_toml(small(), tmp_path / "run.toml"), tmp_path / "run"
    began = time.monotonic()
    told = flower.run(2, config=config, out=folder)
    assert "the run has 3 clients but 2 nodes are connected: start 3 (flwr run: --federation-config num-sup" in told
    assert "Traceback" not in told
    assert time.monotonic() - began < 150
    told = flower.run(4, config=config, out=folder)  # a node too many does no harm
    assert hash_of(folder) == expected, told
    assert (folder / "report.html").stat().st_size > 1000
    assert "Traceback" not in told
    assert told.count("\nstart  0.") == 1


def test_flwr_run_names_a_mistake(flower: Flower) -> None:
    told = flower.run(3, out="runs/one")
    assert "out = runs/one: write an absolute path, flwr run -c 'out=" in told
    assert "Traceback" not in told


def test_the_app_bundle_holds_the_packages_and_nothing_else(flower: Flower) -> None:
    for name in ("runs/one/result.json", "experiments/results/one.json"):
        (flower.app / name).parent.mkdir(parents=True)
        (flower.app / name).write_text("{}")
    assert "Successfully built" in flower("build")
    (bundle,) = flower.app.glob("*.fab")
    assert bundle.stat().st_size < 2_000_000, "Flower takes 10 MB at most"
    with zipfile.ZipFile(bundle) as opened:
        tops = {name.partition("/")[0] for name in opened.namelist()}
        assert "server/app.py" in opened.namelist()
    assert tops == {"fedrec", "clients", "server", "pyproject.toml", "LICENSE", ".info"}
