"""One process, processes side by side, `flwr run`: the same run, whichever mode begins it and whichever ends it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from experiments.processes import runs
from fedrec.cli import cli
from fedrec.data.selection import Selection
from server.federated_executor import FederatedExecutor
from server.launch import simulate
from server.simulated_run import SimulatedRun
from server.training import run_rounds
from server.transports.in_process import LocalGrid
from server.transports.processes import ProcessGrid, SideBySide
from tests.cli import as_sets, as_toml, ended, hash_of, here, start, until
from tests.conftest import Settings
from tests.server.flower import Flower
from tests.server.test_federation import made, ran
from tests.server.test_federation_killed import Dying

pytestmark = pytest.mark.slow
LONG = {"train__epochs": 6, "train__batch": 1, "federation__rounds": 1}  # enough to be stopped


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> str:
    """The adapter hash of the run in this process."""
    return str(ran(tmp_path_factory.mktemp("expected") / "run", small())["adapter_hash"])


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> str:
    """The adapter hash of a run that takes longer."""
    return str(ran(tmp_path_factory.mktemp("long") / "run", small(**LONG))["adapter_hash"])


@pytest.fixture(scope="module")
def flower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flower]:
    flower = Flower(tmp_path_factory.mktemp("flower"))
    yield flower
    flower.close()


def test_processes_give_the_same_hash_and_the_same_look(tmp_path: Path, small: Settings, expected: str) -> None:
    shown = {}
    for workers in (0, 2):
        folder = tmp_path / f"with-{workers}"
        out = here("simulate", "--workers", workers, "--out", folder, *as_sets(small()))
        assert hash_of(folder) == expected
        shown[workers] = re.sub(r" [\d.]+ (s|min)\b", "", " ".join(out.replace(folder.name, "").split()))
    assert shown[0] == shown[2]


def test_as_many_as_there_are_cores_is_the_default(
    tmp_path: Path, small: Settings, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where only the first k of n replies count: it is the same k, whoever was quick."""
    asked: list[int] = []

    class Counted(ProcessGrid):
        def __init__(self, client_app: str, nodes: Sequence[Mapping[str, str]], workers: int, in_order: bool) -> None:
            asked.append(workers)
            super().__init__(client_app, nodes, workers, in_order)

    monkeypatch.setattr("server.transports.processes.ProcessGrid", Counted)
    monkeypatch.setattr("fedrec.parallel.worker_count.cores", lambda: 3)
    monkeypatch.delenv("FEDREC_WORKERS")
    monkeypatch.chdir(tmp_path)
    over = ("--set", "federation.fraction=0.5", "--set", "federation.oversample=1")
    for number, more in enumerate(((), over)):
        hashes = set()
        for workers in ((), ("--workers", "0")):
            folder = tmp_path / f"{number}-{len(workers)}"
            arguments = ["simulate", "--out", str(folder), *as_sets(small()), *more, *workers]
            assert CliRunner().invoke(cli, arguments, catch_exceptions=False).exit_code == 0
            hashes.add(hash_of(folder))
        assert len(hashes) == 1
        assert (hashes == {expected}) == (more == ())
    assert asked == [3, 3]


def test_what_is_trained_again_side_by_side_is_the_same(tmp_path: Path, small: Settings) -> None:
    trained = made(tmp_path / "run", small(shards=2, federation__rounds=1))
    simulate(trained)
    hashes = []
    for workers in (0, 2):
        with SideBySide(workers).reach(SimulatedRun(shutil.copytree(trained.folder, tmp_path / str(workers)))) as grid:
            erasure = FederatedExecutor(grid=grid, run=SimulatedRun(tmp_path / str(workers)))
            shards = erasure.locate(Selection(users=("u07",))).shards
            erasure.withdraw(Selection(users=("u07",)), None, shards)
            erasure.erase(Selection(users=("u07",)), None, "a request")
            erasure.serve(shards, erasure.retrain(shards, tmp_path / f"rounds-{workers}"))
            hashes.append(erasure.locate(Selection(users=("u07",))).adapters)
    assert hashes[0] == hashes[1]
    assert all(hashes[0].values())


def test_a_run_begun_in_this_process_ends_with_processes(tmp_path: Path, small: Settings, expected: str) -> None:
    begun = made(tmp_path / "run", small())
    with pytest.raises(KeyboardInterrupt):
        run_rounds(LocalGrid(Dying(8), begun.nodes()), begun)  # type: ignore[arg-type]
    assert begun.rounds.last() == 0
    here("simulate", "--resume", begun.folder, "--workers", 2)
    assert hash_of(begun.folder) == expected


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])  # Ctrl-C is in test_cli.py
def test_a_stopped_run_leaves_no_process_behind_and_resumes(
    how: signal.Signals, tmp_path: Path, small: Settings, long: str
) -> None:
    settings = small(**LONG)
    process = start("simulate", "--workers", 2, "--out", "run", *as_sets(settings), cwd=tmp_path)
    until((tmp_path / "run" / "rounds" / "0000").exists, process)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 3, "two, and the one they are forked from"
    process.send_signal(how)
    code, _, err = ended(process)
    if how != signal.SIGKILL:
        assert code == 128 + how
        assert err == "fedrec: stopped; continue with `fedrec simulate --resume run`\n"
    assert [child.name() for child in psutil.wait_procs(family, timeout=60)[1]] == []
    assert not (tmp_path / "run" / "rounds" / "0001").exists()
    here("simulate", "--resume", tmp_path / "run")
    assert hash_of(tmp_path / "run") == long


def test_a_run_terminated_while_it_starts_leaves_no_process_behind(tmp_path: Path, small: Settings) -> None:
    process = start("simulate", "--workers", 2, "--out", "run", *as_sets(small()), cwd=tmp_path)
    parent = psutil.Process(process.pid)
    until(lambda: any(runs(child, "forkserver") for child in parent.children(recursive=True)), process)
    family = parent.children(recursive=True)
    process.send_signal(signal.SIGTERM)
    code, _, err = ended(process)
    assert code == 143
    assert err.strip().startswith("fedrec: stopped")
    assert psutil.wait_procs(family, timeout=60)[1] == []


def test_a_client_whose_process_is_killed_is_named_and_the_run_goes_on(tmp_path: Path, small: Settings) -> None:
    settings = small(train__epochs=6, train__batch=1, federation__rounds=2)
    process = start("simulate", "--workers", 2, "--out", "run", *as_sets(settings), cwd=tmp_path)
    until((tmp_path / "run" / "rounds" / "0000").exists, process)
    busy = max(_forked(process.pid), key=lambda child: child.cpu_times().user)
    busy.kill()
    code, _, err = ended(process)
    assert code == 0, err
    rounds = json.loads((tmp_path / "run" / "result.json").read_text())["history"]
    (dropped,) = [each for entry in rounds for each in entry["dropped"]]
    assert "its process was killed by signal 9" in dropped["reason"]
    assert len(rounds[2]["participants"]) == 3, "with a new process"


def _forked(pid: int) -> list[psutil.Process]:
    """The processes that compute: those that the one with everything imported has forked."""
    family = psutil.Process(pid).children(recursive=True)
    (server,) = [child for child in family if child.children()]
    return server.children()


def test_flwr_run_gives_the_same_hash(flower: Flower, tmp_path: Path, small: Settings, expected: str) -> None:
    config, folder = as_toml(small(), tmp_path / "run.toml"), tmp_path / "run"
    told = flower.run(4, config=config, out=folder, homes=folder / "clients")  # a node too many does no harm
    assert hash_of(folder) == expected, told
    assert f"\nfedrec report {folder} writes the page" in told, "a bundle carries no templates"
    assert not (folder / "report.html").exists()
    here("report", folder)
    assert (folder / "report.html").stat().st_size > 1000
    assert "Traceback" not in told
    assert told.count("\nstart  0.") == 1


def test_flwr_run_names_a_mistake(flower: Flower) -> None:
    told = flower.run(3, out="runs/one")
    assert "out = runs/one: write an absolute path, flwr run -c 'out=" in told
    assert "Traceback" not in told


@pytest.fixture(scope="module")
def bundle(flower: Flower) -> Path:
    for name in ("runs/one/result.json", "experiments/results/one.json"):
        (flower.app / name).parent.mkdir(parents=True)
        (flower.app / name).write_text("{}")
    assert "Successfully built" in flower("build")
    (found,) = flower.app.glob("*.fab")
    return found


def test_the_app_bundle_holds_the_packages_and_nothing_else(bundle: Path) -> None:
    assert bundle.stat().st_size < 5_000_000, "Flower takes 10 MB at most"
    with zipfile.ZipFile(bundle) as opened:
        tops = {name.partition("/")[0] for name in opened.namelist()}
    assert tops == {"fedrec", "clients", "server", "unlearning", "pyproject.toml", "LICENSE", ".info"}


_IMPORT_ALL = """
import importlib, sys
from pathlib import Path

folder, *packages = sys.argv[1:]
sys.path += [folder, *packages]
for path in sorted(Path(folder).rglob("*.py")):
    name = ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
    if not name.endswith("__main__") and ".migrations" not in name:  # alembic runs those, nobody imports them
        found = importlib.import_module(name).__file__
        assert found == str(path), found
        print(name)
"""


def test_every_module_of_the_bundle_is_importable_where_nothing_else_of_the_project_is(
    bundle: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(bundle) as opened:
        opened.extractall(tmp_path)
    packages = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    done = subprocess.run(  # isolated and without `site`: no PYTHONPATH, no editable project, no folder of now
        [sys.executable, "-I", "-S", "-c", _IMPORT_ALL, str(tmp_path), *packages], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert {"server.app", "clients.app", "unlearning.workflow.workflow", "unlearning.audit.log"} <= set(
        done.stdout.split()
    )
