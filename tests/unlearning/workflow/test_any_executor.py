"""The workflow needs of a model what `Executor` says, and no more: one from outside is driven through it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedrec.config import RunConfig, load
from fedrec.data.dataset import Catalogue
from fedrec.data.selection import Selection
from fedrec.files import read_json, write_json
from fedrec.protocol.adapters import Model, digest_of
from unlearning.certificates.bundle import Round
from unlearning.certificates.verify import verify_certificate
from unlearning.executor import Cost, Executor, Located, OnRound, Rehearsal, Retrained, Say, TrainedModel, silent
from unlearning.workflow.execution import Execution
from unlearning.workflow.workflow import Workflow


class Counts:
    """A model that knows how many rows each person has."""

    name = "counts"
    clients = ("here",)
    catalogue = Catalogue(("i1",), ("One",))

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config: RunConfig = load(overrides={"federation.rounds": 1})
        self.rows = {"ann": 3, "ben": 2}
        self.served: Model | None = [self.trained()]

    def trained(self) -> dict[str, np.ndarray]:
        total = np.float32(sum(self.rows.values()))
        return {"layer.A": np.full((1, 2), total), "layer.B": np.full((2, 1), total)}

    @property
    def configuration(self) -> dict[str, Any]:
        return {"shards": 1, "rounds": 1, "seed": self.config.seed}

    def changed_shards(self) -> Mapping[str, Collection[int]]:
        return {}

    def holds(self, selection: Selection, client: str | None) -> bool:
        return True

    def clients_of(self) -> Mapping[str, Collection[str]]:
        return dict.fromkeys(self.rows, self.clients)


class Counting:
    """Forgets in it."""

    baselines: list[str] = []  # noqa: RUF012

    def __init__(self, model: Counts) -> None:
        self.model, self.steps = model, list[str]()

    def check_current(self) -> None: ...

    def catch_up(self, say: Say) -> None: ...

    def locate(self, selection: Selection, client: str | None = None) -> Located:
        found = sum(self.model.rows.get(user, 0) for user in selection.users)
        known = hashlib.sha256(json.dumps(self.model.rows).encode()).hexdigest()
        adapters = [digest_of(state) for state in self.model.served or []]
        return Located(
            {"here": found} if found else {}, (0,) if found else (), {"here": 0}, {"here": known}, {"here": adapters}
        )

    def cost(self, shards: Sequence[int]) -> Cost:
        return Cost(["here"] if shards else [], len(shards), 0.0)

    def withdraw(self, selection: Selection, client: str | None, shards: Collection[int]) -> list[str]:
        self.steps.append("withdraw")
        self.model.served = None
        return []

    def erase(self, selection: Selection, client: str | None, request: str) -> dict[str, int]:
        self.steps.append("erase")
        return {"here": sum(self.model.rows.pop(user, 0) for user in selection.users)}

    def retrain(self, shards: Sequence[int], folder: Path, on_round: OnRound = silent) -> dict[str, Model]:
        self.steps.append("retrain")
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "count.json", {name: array.tolist() for name, array in self.model.trained().items()})
        on_round()
        return self.retrained(shards, folder).adapters

    def retrained(self, shards: Sequence[int], folder: Path) -> Retrained:
        state = {name: np.array(values, np.float32) for name, values in read_json(folder / "count.json").items()}
        models = {"here": digest_of(state)}
        return Retrained(
            "counting", {"here": [state]}, 1, [Round(shard=0, round=1, seed=self.model.config.seed, models=models)]
        )

    def rehearse(self, requests: Sequence[str], shards: Sequence[int], models: Mapping[str, Model]) -> Rehearsal:
        return Rehearsal([-0.7] * 40, [-0.7] * 40, (0.6, 0.6, 20, 20))

    def discard_erased(self, requests: Sequence[str]) -> None: ...

    def serve(self, shards: Sequence[int], models: Mapping[str, Model], withdrawn: Collection[int] = ()) -> None:
        self.steps.append("serve")
        self.model.served = models["here"]

    def measure(self, shards: Sequence[int], models: Mapping[str, Model], folder: Path) -> None:
        self.steps.append("measure")


@pytest.fixture
def model(tmp_path: Path) -> Counts:
    return Counts(tmp_path)


def test_a_request_is_carried_out_and_certified(model: Counts) -> None:
    known: TrainedModel = model
    workflow = Workflow(known)
    operator, _ = workflow.ensure_one()
    selection = Selection(users=("ann",))
    request = workflow.submit(selection, client=None, channel="test", ground="17(1)(b)", requester=operator)
    workflow.approve(request.id, operator, "known-account")
    counting = Counting(model)
    executor: Executor = counting
    (outcome,) = Execution(workflow, executor, operator, lambda _: None).run()
    assert (outcome["state"], outcome["shards"]) == ("closed", [0]), outcome
    assert counting.steps == ["withdraw", "erase", "retrain", "serve", "measure"]
    assert model.rows == {"ben": 2}
    assert model.served is not None and digest_of(model.served[0]) == digest_of(model.trained())
    certificate = workflow.certificates / f"{request.id}.json"
    trusted = workflow.operators.publics()
    assert verify_certificate(certificate, bundle=workflow.bundle(request.id), trusted=trusted).ok
    assert read_json(certificate)["certificate"]["method"] == "counting"
