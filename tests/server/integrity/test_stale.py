"""Whatever file of a run is put back from before an erasure, the audit names it, and the next change mends it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fedrec import cli
from fedrec.errors import FedrecError
from server.integrity.stale import stale_files
from server.simulated_run import SimulatedRun as Run
from server.simulated_run import open_run
from tests.server.test_federated_executor import Copy, asked, of, served
from unlearning.workflow.findings import findings
from unlearning.workflow.workflow import Workflow

HARMLESS = {
    "erasure/subjects/requests/N.key",  # whatever opens the ledger destroys the keys of what is ended
    "erasure/ledger.db-shm", "erasure/ledger.db-wal",  # SQLite's own, which know their database
}  # fmt: skip
Times = tuple[Run, Run, Run]


def call(*words: object, fails: bool = False) -> str:
    """All that a command says, in one line."""
    result: Result = CliRunner().invoke(cli.cli, [*map(str, words)])
    said = f"{result.output}{result.stderr}{result.exception or ''}".replace("\n", " ")
    assert (result.exit_code != 0) == fails, said
    return said


@pytest.fixture(scope="module")
def times(tmp_path_factory: pytest.TempPathFactory, compared: Copy) -> Times:
    """A run before an erasure, after it, and with its baselines trained again."""
    folder = tmp_path_factory.mktemp("times")
    before = compared(folder / "before")
    asked(before, *of("u07"))
    shutil.copytree(before.folder, folder / "after")
    call("forget", "run", "--run", folder / "after")
    shutil.copytree(folder / "after", folder / "again")
    call("simulate", "--resume", folder / "again")
    return before, Run(folder / "after"), Run(folder / "again")


@pytest.fixture
def after(tmp_path: Path, times: Times) -> Run:
    shutil.copytree(times[1].folder, tmp_path / "run")
    return Run(tmp_path / "run")


def files(run: Run) -> dict[str, Path]:
    """The files of a run, of clients and shards those of u07 alone."""
    (home,), shard = run.clients_of()["u07"], int(run.shard_of(["u07"])[0])
    found = {}
    for path in sorted(path.relative_to(run.folder) for path in run.folder.rglob("*") if path.is_file()):
        of = [part for part in path.parts if re.match(r"client-\d|\d-[0-9a-f]{6}", part)]
        if all(part == home or part.startswith(f"{shard}-") for part in of) and not path.name.startswith("writer."):
            found[re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "N", str(path))] = path
    return found


def named(run: Run) -> list[str]:
    """What the audit names."""
    workflow = Workflow(run)
    try:
        return [finding.about for finding in findings(workflow, here=stale_files(run, workflow.ledger))]
    except FedrecError as refused:  # a ledger of before any request, or of which the newest part is not written yet
        return [str(refused)]


def old(path: Path, before: Run, now: Run) -> bool:
    there = now.folder / path
    return not there.exists() or there.read_bytes() != (before.folder / path).read_bytes()


def test_the_audit_names_whatever_file_is_put_back(tmp_path: Path, times: Times) -> None:
    before, after, again = times
    there = files(before)
    assert len(there) > 50
    for state, baselines in ((after, ("local",)), (again, ("central", "ditto", "local"))):
        now = Run(tmp_path / state.name)
        shutil.copytree(state.folder, now.folder)
        assert named(now) == []
        unnoticed = []
        for kind, path in there.items():
            elsewhere = path.parts[0] == "baselines" and path.parts[1] not in baselines
            if old(path, before, state) and kind not in HARMLESS and not elsewhere:
                place = now.folder / path
                new = [each for each in place.parents if not each.exists()]
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(before.folder / path, place)
                found = named(now)
                within = [about for about in found if str(path) == about or str(path).startswith(f"{about}/")]
                if place.exists() and not (found if path.parts[0] == "erasure" else within):
                    unnoticed.append(kind)  # a day's key is destroyed as soon as anybody looks
                if path.parts[0] == "erasure":  # which the audit may have written to
                    shutil.rmtree(now.folder)
                    shutil.copytree(state.folder, now.folder)
                    continue
                place.unlink()
                if new:
                    shutil.rmtree(new[-1])
                elif (state.folder / path).exists():
                    shutil.copy(state.folder / path, place)
        assert unnoticed == [], state.name


def test_what_is_put_back_is_mended_by_the_next_change(tmp_path: Path, times: Times) -> None:
    """All at once, but for the vaults and the erasure's own records, which other tests put back."""
    before, _, again = times
    run = Run(tmp_path / "run")
    shutil.copytree(again.folder, run.folder)
    for path in files(before).values():
        if path.parts[0] != "erasure" and path.name != "vault.db":
            (run.folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(before.folder / path, run.folder / path)
    assert named(run)
    said = call("forget", "run", "--run", run.folder)
    assert "baselines/local: " in said and "as if an old copy had been put back: removed" in said
    assert named(run) == []
    assert served(run) == served(again)
    assert run.reference == again.reference
    assert [entry.clients for entry in run.rounds.history()] == [e.clients for e in again.rounds.history()]
    call("simulate", "--resume", run.folder)
    assert [each.result["adapter_hash"] for each in open_run(run.folder).baselines] == [
        each.result["adapter_hash"] for each in again.baselines
    ]


def put(before: Run, run: Run, name: str = "local") -> Path:
    shutil.copytree(before.folder / "baselines" / name, run.folder / "baselines" / name)
    return run.folder / "baselines" / name


READING: dict[str, Callable[[Path], tuple[object, ...]]] = {
    "status": lambda run: ("forget", "status", "--run", run),
    "recommend": lambda run: ("recommend", "--user", "u11", "--run", run),
    "evaluate": lambda run: ("evaluate", run),
    "report": lambda run: ("report", run),
    "export": lambda run: ("export", run, "--client", "client-0", "--shard", 0, "--to", run.parent / "out"),
}


def test_who_reads_is_told_of_an_old_baseline_and_nothing_answers_from_it(after: Run, times: Times) -> None:
    folder = put(times[0], after)
    remedy = f"`fedrec forget run --run {after.folder}` removes it"
    for words in READING.values():
        said = call(*words(after.folder))
        assert f"{folder}: " in said and remedy in said
    for name in ("recommend", "evaluate", "report"):
        assert f"{folder}: " in call(*READING[name](folder), fails=True)
    audited = call("forget", "audit", "--run", after.folder, fails=True)
    assert "FAIL  baselines/local: " in audited and remedy in audited
    assert f"{folder}: " in call("forget", "run", "--run", after.folder)
    assert not folder.exists() and after.result["baselines"] == []
    assert "local" not in call("forget", "audit", "--run", after.folder)


def test_what_is_no_whole_baseline_is_in_nobodys_way(after: Run, times: Times) -> None:
    path = Path("baselines", "ditto", "rounds", "0002", "models.safetensors")
    (after.folder / path).parent.mkdir(parents=True)
    shutil.copy(times[0].folder / path, after.folder / path)
    assert "baselines/ditto: no whole baseline" in call("forget", "status", "--run", after.folder)
    call("forget", "run", "--run", after.folder)
    assert not (after.folder / "baselines" / "ditto").exists()


def test_old_figures_are_not_shown(after: Run, times: Times) -> None:
    shutil.copy(times[0].folder / "result.json", after.folder / "result.json")
    for words in (("evaluate", after.folder), ("report", after.folder)):
        assert "result.json: not what the rounds tell" in call(*words, fails=True)
    call("forget", "run", "--run", after.folder)
    assert after.result == times[1].result | {"run": "run"}
    call("evaluate", after.folder)
