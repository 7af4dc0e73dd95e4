"""Approximately, and by a bridge: over a federation of one shard, and over a model of one shard in one place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from fedrec.errors import FedrecError
from fedrec.files import write_json
from server.host import RunHost
from server.simulated_run import SimulatedRun
from tests.conftest import Settings
from tests.killing import killed_at
from tests.server import test_federated_executor as federation
from tests.server.test_federated_executor import asked, holding, naming, of, verified
from tests.unlearning.central import trained as central
from unlearning.central.host import CentralHost
from unlearning.central.model_folder import ModelFolder
from unlearning.certificates.certificate import Certificate
from unlearning.certificates.claims import RETRAINED, approximately
from unlearning.certificates.verify import parsed
from unlearning.verification import RETRAINING
from unlearning.way import Way
from unlearning.workflow.execution import Execution
from unlearning.workflow.findings import findings

Served = dict[str, list[str]]
WIDE = {"thresholds": {"membership": 0.49, "utility": 0.95}}  # a dozen rows show no less


@dataclass(frozen=True)
class Kind:
    train: Callable[[Path, dict[str, Any]], object]
    open: Callable[[Path], Any]
    execution: Callable[..., Execution]
    served: Callable[[Path], Served]


KINDS = {
    "federation": Kind(
        train=lambda folder, settings: federation.trained(folder, settings),
        open=SimulatedRun,
        execution=lambda folder, *said: federation.execution(SimulatedRun(folder), *said),
        served=lambda folder: federation.served(SimulatedRun(folder)),
    ),
    "central": Kind(
        train=lambda folder, settings: central.trained(folder, settings, shards=1),
        open=ModelFolder,
        execution=central.execution,
        served=central.served,
    ),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def original(kind: Kind, tmp_path_factory: pytest.TempPathFactory, small: Settings) -> Path:
    folder = tmp_path_factory.mktemp("original") / "model"
    kind.train(folder, small(items__rank=2, train__epochs=1))
    (folder / "erasure").mkdir(exist_ok=True)
    write_json(folder / "erasure" / "policy.json", WIDE)
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "model"))


@pytest.fixture(scope="module")
def answers(kind: Kind, original: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Way, Served]:
    """What is served in the end, by the way in which u07 is forgotten."""
    found = {}
    for way in (Way.EXACT, Way.APPROXIMATE):
        folder = Path(shutil.copytree(original, tmp_path_factory.mktemp(way.value) / "model"))
        asked(kind.open(folder), *of("u07"))
        at(kind, folder, way).run()
        found[way] = kind.served(folder)
    return found


def at(kind: Kind, folder: Path, way: Way, said: list[str] | None = None) -> Execution:
    return replace(kind.execution(folder, *([said] if said is not None else [])), way_now=way)


def host(kind: Kind, folder: Path) -> Any:
    return CentralHost(ModelFolder(folder)) if kind is KINDS["central"] else RunHost(SimulatedRun(folder))


def certificate(work: Execution, id_: str) -> Certificate:
    return parsed((work.workflow.certificates / f"{id_}.json").read_bytes()).certificate


def nothing_left(kind: Kind, folder: Path, original: Path) -> bool:
    """No file names the person, no row waits sealed, and no adapter is there that had learned from them."""
    learned = [file for name in ("rounds", "shards") for file in (original / name).rglob("*.safetensors")]
    layers = [array.tobytes() for file in learned for name, array in load_file(file).items() if _is_layer(name)]
    assert layers and holding(kind.open(original), *layers)
    run, batches = kind.open(folder), folder / "erasure" / "batches"
    return not (naming(run, "u07") or holding(run, *layers) or list(folder.rglob("held/*")) or batches.exists())


def _is_layer(name: str) -> bool:
    return name.endswith(".B") and "items" not in name


def test_approximately_it_is_certified_with_its_figures(
    kind: Kind, folder: Path, original: Path, answers: dict[Way, Served]
) -> None:
    (id_,) = asked(kind.open(folder), *of("u07"))
    work = at(kind, folder, Way.APPROXIMATE)
    (outcome,) = work.run()
    assert (outcome["state"], outcome["claim"]) == ("closed", approximately(0.49)), outcome["reason"]
    signed = certificate(work, id_)
    assert signed.method.startswith("approximate-") and signed.method.endswith("e2urec")
    assert (signed.rounds, signed.bridge, signed.not_measured) == (1, None, (RETRAINING,))
    figures = json.loads((work.workflow.bundle(id_) / "verification.json").read_bytes())["measures"]["approximate"]
    assert figures["erased_loss"][0] != figures["erased_loss"][1] and figures["auc"] is not None
    assert verified(work.workflow, id_) and nothing_left(kind, folder, original) and findings(work.workflow) == []
    served = kind.served(folder)
    assert served == answers[Way.APPROXIMATE] != answers[Way.EXACT]
    assert all(served[name] != before for name, before in kind.served(original).items())
    assert kind.open(folder).changed_shards() == {}  # what it served learned from the rows that are left
    assert kind.execution(folder).run() == []


def test_the_next_one_is_forgotten_from_there_exactly_or_not(
    kind: Kind, folder: Path, answers: dict[Way, Served]
) -> None:
    for user, way in (("u07", Way.APPROXIMATE), ("u11", Way.APPROXIMATE)):
        (id_,) = asked(kind.open(folder), *of(user))
        work = at(kind, folder, way)
        assert work.run()[0]["claim"] == approximately(0.49) and verified(work.workflow, id_)
    (id_,) = asked(kind.open(folder), *of("u12"))
    work = at(kind, folder, Way.EXACT)
    assert work.run()[0]["claim"] == RETRAINED and verified(work.workflow, id_)
    assert findings(work.workflow) == []


def test_a_bridge_answers_until_the_exact_answer_does(
    kind: Kind, folder: Path, original: Path, answers: dict[Way, Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    (id_,) = asked(kind.open(folder), *of("u07"))
    broken = at(kind, folder, Way.BRIDGE)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(broken.executor, "retrain", interrupted)
        broken.run()
    assert kind.served(folder) == answers[Way.APPROXIMATE]
    assert not any(host(kind, folder).stale_files(kind.execution(folder).workflow.ledger))
    assert naming(kind.open(folder), "u07") == []  # its rows wait sealed
    assert all(path.suffix in (".key", ".rows") for path in folder.rglob("held/*"))
    said: list[str] = []
    work = kind.execution(folder, said)  # which knows of no way
    (outcome,) = work.run()
    assert outcome["claim"] == RETRAINED and any("served since an earlier start" in line for line in said)
    assert kind.served(folder) == answers[Way.EXACT]
    bridge = certificate(work, id_).bridge
    assert bridge is not None and bridge.replaced_at is not None
    assert bridge.claim == approximately(0.49) and bridge.served_at < bridge.replaced_at
    assert verified(work.workflow, id_) and nothing_left(kind, folder, original) and findings(work.workflow) == []


KILLED = [
    ("federation", Way.BRIDGE, "serve"), ("federation", Way.APPROXIMATE, "unlearn"), ("central", Way.BRIDGE, "unlearn"),
    ("central", Way.BRIDGE, "retrain"), ("central", Way.APPROXIMATE, "measure"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "way", "step"), KILLED, indirect=["kind"])
def test_killed_anywhere_it_ends_the_same_and_nothing_survives(
    kind: Kind,
    folder: Path,
    original: Path,
    answers: dict[Way, Served],
    step: str,
    way: Way,
) -> None:
    (id_,) = asked(kind.open(folder), *of("u07"))
    for after in (False, True):
        broken = at(kind, folder, way)
        killed_at(broken.executor, step, after, broken.run)
    again = kind.execution(folder)
    again.run()
    assert again.workflow.ledger.get(id_).state.value == "closed"
    assert kind.served(folder) == answers[Way.APPROXIMATE if way == Way.APPROXIMATE else Way.EXACT]
    assert verified(again.workflow, id_) and nothing_left(kind, folder, original) and findings(again.workflow) == []
    assert again.run() == []


def test_what_is_not_shown_to_be_enough_is_trained_again(
    kind: Kind, folder: Path, original: Path, answers: dict[Way, Served]
) -> None:
    write_json(folder / "erasure" / "policy.json", {})  # a dozen rows cannot show 0.1
    (id_,) = asked(kind.open(folder), *of("u07"))
    said: list[str] = []
    work = at(kind, folder, Way.APPROXIMATE, said)
    assert work.run()[0]["claim"] == RETRAINED and any("is not shown to be enough" in line for line in said)
    assert kind.served(folder) == answers[Way.EXACT]
    assert verified(work.workflow, id_) and nothing_left(kind, folder, original)


def test_of_several_shards_each_is_trained_again(tmp_path: Path, small: Settings) -> None:
    folder = central.trained(tmp_path / "model", small(train__epochs=1), shards=2)
    asked(ModelFolder(folder), *of("u07"))
    said: list[str] = []
    (outcome,) = at(KINDS["central"], folder, Way.APPROXIMATE, said).run()
    assert outcome["claim"] == RETRAINED and any("a model of 2 shards trains the touched ones again" in x for x in said)


def test_in_other_company_what_bridged_is_withdrawn_and_not_certified(
    kind: Kind, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = asked(kind.open(folder), *of("u07"))
    broken = at(kind, folder, Way.BRIDGE)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(broken.executor, "retrain", interrupted)
        broken.run()
    (second,) = asked(kind.open(folder), *of("u11"))
    work = kind.execution(folder)
    outcomes = work.run()
    assert {outcome["claim"] for outcome in outcomes} == {RETRAINED}, outcomes
    assert certificate(work, first).bridge is certificate(work, second).bridge is None
    assert verified(work.workflow, first) and verified(work.workflow, second) and findings(work.workflow) == []


def test_what_it_was_before_is_not_believed_and_cannot_be_made_anew(kind: Kind, folder: Path, original: Path) -> None:
    asked(kind.open(folder), *of("u07"))
    at(kind, folder, Way.APPROXIMATE).run()
    for name in ("rounds", "shards"):
        if (original / name).exists():
            shutil.rmtree(folder / name)
            shutil.copytree(original / name, folder / name)
    with pytest.raises(FedrecError, match="left an approximate answer, which nothing makes again"):
        kind.execution(folder).run()


def interrupted(*_: object) -> Iterator[None]:
    raise KeyboardInterrupt
