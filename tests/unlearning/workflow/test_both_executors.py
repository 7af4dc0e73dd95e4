"""What holds of every executor: over a federation, and over a sharded model that is trained in one place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fedrec.data.selection import Selection
from fedrec.errors import FedrecError
from server.simulated_run import SimulatedRun
from tests.conftest import Settings
from tests.killing import killed_at
from tests.server import test_federated_executor as federation
from tests.server.test_federated_executor import asked, holding, naming, of, verified, without
from tests.unlearning.central import trained as central
from unlearning.central.model_folder import ModelFolder
from unlearning.certificates.chain import verify_chain
from unlearning.compute.processes import LocalProcesses
from unlearning.compute.workers import InProcess, Workers
from unlearning.executor import Rehearsal
from unlearning.workflow.execution import Execution
from unlearning.workflow.findings import findings
from unlearning.workflow.workflow import Workflow

Served = dict[str, list[str]]


@dataclass(frozen=True)
class Kind:
    """A kind of trained model.

    Attributes:
        train: into a folder, by settings.
        open: it at rest.
    """

    train: Callable[[Path, dict[str, Any]], object]
    open: Callable[[Path], Any]
    execution: Callable[..., Execution]
    served: Callable[[Path], Served]
    vaults: str


KINDS = {
    "federation": Kind(
        train=lambda folder, settings: federation.trained(folder, {**settings, "shards": 2}),
        open=SimulatedRun,
        execution=lambda folder, *said: federation.execution(SimulatedRun(folder), *said),
        served=lambda folder: federation.served(SimulatedRun(folder)),
        vaults="clients/*/vault.db",
    ),
    "central": Kind(
        train=lambda folder, settings: central.trained(folder, settings, shards=2, slices=2),
        open=ModelFolder,
        execution=central.execution,
        served=central.served,
        vaults="vault.db",
    ),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def original(kind: Kind, tmp_path_factory: pytest.TempPathFactory, small: Settings) -> Path:
    folder = tmp_path_factory.mktemp("original") / "model"
    kind.train(folder, small(train__epochs=1))
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "model"))


@pytest.fixture(scope="module")
def forgotten(kind: Kind, original: Path, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """What is served once u07 and u11 are forgotten."""
    folder = Path(shutil.copytree(original, tmp_path_factory.mktemp("forgotten") / "model"))
    asked(kind.open(folder), *of("u07", "u11"))
    kind.execution(folder).run()
    return kind.served(folder)


def test_what_comes_back_never_had_them(
    kind: Kind, forgotten: Served, original: Path, tmp_path: Path, small: Settings, ratings: Path
) -> None:
    never = tmp_path / "never"
    kind.train(never, small(train__epochs=1, data__path=without(ratings, tmp_path, {"u07", "u11"})))
    assert forgotten == kind.served(never) != kind.served(original)


def test_it_is_certified_and_nothing_of_the_person_is_left(kind: Kind, folder: Path) -> None:
    assert {path.name for path in naming(kind.open(folder), "u07")} >= {"vault.db", "scores.npz", "judged.safetensors"}
    (id_,) = asked(kind.open(folder), *of("u07"))
    work = kind.execution(folder)
    (outcome,) = work.run()
    assert (outcome["state"], outcome["claim"], len(outcome["shards"])) == ("closed", "retrained without", 1)
    assert verified(work.workflow, id_)
    assert naming(kind.open(folder), "u07") == []
    assert not list(folder.rglob("held/*"))
    assert findings(work.workflow) == []


STEPS = [
    "executor.withdraw", "executor.erase", "executor.retrain", "executor.rehearse", "executor.serve",
    "executor.measure", "executor.discard_erased", "workflow.ledger.destroy_subject",
]  # fmt: skip


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_anywhere_it_ends_the_same(kind: Kind, folder: Path, forgotten: Served, step: str, after: bool) -> None:
    if kind is KINDS["federation"]:
        pytest.skip("tests/server has it")
    ids = asked(kind.open(folder), *of("u07", "u11"))
    where: Any = kind.execution(folder)
    broken = where
    *path, name = step.split(".")
    for part in path:
        where = getattr(where, part)
    killed_at(where, name, after, broken.run)
    again = kind.execution(folder)
    again.run()
    assert [again.workflow.ledger.get(id_).state.value for id_ in ids] == ["closed", "closed"]
    assert kind.served(folder) == forgotten
    assert all(verified(again.workflow, id_) for id_ in ids)
    assert verify_chain(again.workflow.certificates, trusted=again.workflow.operators.publics()).ok
    assert again.run() == []


def test_killed_between_two_shards_only_what_is_missing_is_trained(
    folder: Path, kind: Kind, forgotten: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(kind.open(folder), *of("u07", "u11"))
    broken = kind.execution(folder)
    retrain, finished = broken.executor.retrain, list[int]()

    def killed(shards: Any, place: Path, on_round: Callable[[], None]) -> Any:
        def counted() -> None:
            on_round()
            finished.append(1)
            raise KeyboardInterrupt

        return retrain(shards, place, counted)

    monkeypatch.setattr(broken.executor, "retrain", killed)
    with pytest.raises(KeyboardInterrupt):
        broken.run()
    assert finished == [1]
    kind.execution(folder).run()
    assert kind.served(folder) == forgotten


def test_a_second_training_gives_the_same(kind: Kind, folder: Path, forgotten: Served) -> None:
    asked(kind.open(folder), *of("u07", "u11"))
    work = kind.execution(folder)
    outcomes = Execution(work.workflow, work.executor, work.signer, work.say, rederive=True).run()
    assert [outcome["state"] for outcome in outcomes] == ["closed", "closed"]
    assert kind.served(folder) == forgotten


def test_what_is_withdrawn_stays_so_and_the_rest_answers(kind: Kind, folder: Path) -> None:
    work = kind.execution(folder)
    located = work.executor.locate(Selection(users=("u07",)))
    (shard,) = located.shards
    work.executor.withdraw(Selection(users=("u07",)), None, located.shards)
    for hashes in work.executor.locate(Selection()).adapters.values():
        assert [bool(digest) for digest in hashes] == [place != shard for place in range(2)]


def test_one_that_remembers_is_not_published(kind: Kind, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(kind.open(folder), *of("u07"))
    bad = kind.execution(folder)
    monkeypatch.setattr(bad.executor, "rehearse", lambda *_: Rehearsal([-0.1] * 400, [-9.0] * 40, None))
    (outcome,) = bad.run()
    assert outcome["state"] == "failed" and "still remembered" in outcome["reason"]
    with pytest.raises(AssertionError):
        kind.served(folder)


def test_a_vault_that_is_put_back_teaches_nobody_again(kind: Kind, folder: Path, original: Path) -> None:
    asked(kind.open(folder), *of("u07"))
    kind.execution(folder).run()
    right = kind.served(folder)
    for path in folder.glob(f"{kind.vaults}-*"):
        path.unlink()
    for path in original.glob(kind.vaults):
        shutil.copy(path, folder / path.relative_to(original))
    assert "u07" in kind.open(folder).clients_of()
    with pytest.raises(FedrecError, match="as if an old copy had been put back"):
        kind.execution(folder).executor.check_current()
    said: list[str] = []
    kind.execution(folder, said).run()
    assert any("as if an old copy had been put back" in line for line in said)
    assert "u07" not in kind.open(folder).clients_of()
    assert kind.served(folder) == right
    said.clear()
    kind.execution(folder, said).run()
    assert said == []


def test_rows_that_went_behind_the_ledgers_back_are_trained_out(kind: Kind, folder: Path) -> None:
    model = kind.open(folder)
    (home,) = model.clients_of()["u11"]
    vault = model.vault if home == "central" else model.client(home).vault
    vault.erase(Selection(users=("u11",)), "behind")
    changed = kind.open(folder).changed_shards()
    assert list(changed) == [home]
    before = kind.served(folder)
    (id_,) = asked(kind.open(folder), *of("u07"))
    kind.execution(folder).run()
    assert all(kind.served(folder)[home][shard] != before[home][shard] for shard in changed[home])
    assert verified(Workflow(kind.open(folder)), id_)
    assert kind.open(folder).changed_shards() == {}
    assert holding(kind.open(folder), b"u11") == []


@pytest.mark.slow
def test_shards_are_trained_again_the_same_in_processes(tmp_path: Path, small: Settings) -> None:
    trained_again_the_same(tmp_path, small(train__epochs=1), LocalProcesses(2, 2))


def trained_again_the_same(folder: Path, settings: dict[str, Any], workers: Workers) -> None:
    """By workers as in this process."""
    original, found = central.trained(folder / "model", settings, shards=2), []
    for name, where in (("here", InProcess()), ("there", workers)):
        model = Path(shutil.copytree(original, folder / name))
        asked(ModelFolder(model), *of("u07", "u11"))
        assert {outcome["state"] for outcome in central.execution(model, workers=where).run()} == {"closed"}
        found.append(central.served(model))
    assert found[0] == found[1]
