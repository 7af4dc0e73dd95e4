"""A federation whose clients have a part of the layers: the same results."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedrec.errors import UsageError
from fedrec.files import read_json, write_json
from fedrec.models.split import Middle
from fedrec.training.middle import MiddleSession
from server.layers.turns import Turns
from server.simulated_run import open_run
from tests.conftest import Settings, random_base
from tests.server.test_federated_executor import asked, execution, of, served, trained, trained_now, without
from tests.server.test_federation import made, ran, result_of


@pytest.fixture(scope="module")
def deep_base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """As `tiny_base`, of four layers."""
    return str(random_base(tmp_path_factory.mktemp("deep"), layers=4))


def model_of(folder: Path) -> list[dict[str, np.ndarray]]:
    """The adapters of all shards that client-1 was sent last."""
    model = open_run(folder).client("client-1").published(1)
    assert model is not None
    return model


@pytest.fixture(scope="module")
def settings(deep_base: str) -> dict[str, Any]:
    return {"base": deep_base, "items__rank": 2, "shards": 2, "train__epochs": 1, "federation__rounds": 1}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, small: Settings, settings: dict[str, Any]) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    ran(folder, small(**settings))
    return folder


@pytest.mark.parametrize("over", ["process", "grpc"])
def test_a_federation_of_split_clients_has_the_results_of_whole_ones(
    tmp_path: Path, small: Settings, settings: dict[str, Any], whole: Path, over: str
) -> None:
    split = result_of(trained(tmp_path / "run", small(**settings, split__head=1, split__over=over)))
    losses = result_of(open_run(whole))["history"][-1]["train_loss"]
    assert split["history"][-1]["train_loss"] == pytest.approx(losses, abs=1e-5)
    assert not split["history"][-1]["dropped"]
    for one, two in zip(model_of(tmp_path / "run"), model_of(whole), strict=True):
        assert one.keys() == two.keys()
        for name in one:
            np.testing.assert_allclose(one[name], two[name], rtol=1e-4, atol=1e-5)


def test_a_split_that_the_base_does_not_allow_is_refused_before_anything_is_made(
    tmp_path: Path, small: Settings, deep_base: str
) -> None:
    with pytest.raises(UsageError, match=r"split\.head = 3, split\.tail = 1: the model has 4 blocks"):
        made(tmp_path / "run", small(base=deep_base, split__head=3))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_an_erased_person_is_in_no_middle_and_nothing_stays_with_the_layer_service(
    tmp_path: Path, small: Settings, settings: dict[str, Any], ratings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = small(**settings, split__head=1, split__over="grpc")
    run = trained(tmp_path / "run", split)
    content = read_json(run.folder / "config.json")
    content["split"]["batch"] = 2  # of a run in which clients were computed together
    write_json(run.folder / "config.json", content)
    run, together = open_run(run.folder), set[int]()
    monkeypatch.setattr(
        "server.layers.sessions.Turns", lambda batch, *rest: (together.add(batch), Turns(batch, *rest))[1]
    )
    asked(run, *of("u07"))
    (outcome,) = execution(run).run()
    assert outcome["state"] == "closed"
    never = trained_now(tmp_path / "never", {**split, "data.path": without(ratings, tmp_path, {"u07"})})
    assert served(run) == served(never)  # to the bit, the middle's layers among them
    assert together == {1}
    middles = [kept for kept in gc.get_objects() if type(kept) is Middle]
    assert any(middles)
    assert not any(module._forward_hooks for middle in middles for module in middle.layers.modules())
    assert not [kept for kept in gc.get_objects() if type(kept) is MiddleSession]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("layers")]
