"""A run on disk: what is written comes back; what is half-written never shows."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from clients.home import Home
from fedrec import api
from fedrec.config import RunConfig
from fedrec.data.dataset import Catalogue, Interactions
from fedrec.errors import FedrecError, UsageError
from fedrec.files import read_json, replacing, write_json
from fedrec.protocol.adapters import Model
from server.commands.export import export
from server.rounds import Dropped, Entry
from server.run import find_run_or_model
from server.simulated_run import create_run, open_run
from unlearning.central.model_folder import METHOD


def model(seed: int, shards: int = 2) -> Model:
    random = np.random.default_rng(seed)
    return [{f"layer.{x}": random.normal(size=(2, 3)).astype(np.float32) for x in "AB"} for _ in range(shards)]


def test_rounds_come_back_and_only_the_last_keeps_models(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", RunConfig())
    assert run.rounds.last() is None
    models = {"client-0": model(0), "a/b|c": model(1)}
    run.rounds.write(models, Entry(round=0, overall={"auc": float("nan")}))
    run.rounds.write(models, Entry(round=1, aggregation={"heating": [[1.0]]}, dropped=[Dropped("b", "late")]))
    assert run.rounds.last() == 1
    back = run.rounds.models(1)
    assert back.keys() == models.keys()
    for name, shards in models.items():
        for ours, theirs in zip(shards, back[name], strict=True):
            assert all(np.array_equal(ours[key], theirs[key]) for key in ours)
    assert not (run.folder / "rounds" / "0000" / "models.safetensors").exists()
    first, second = run.rounds.history()
    assert first == Entry(round=0, overall={"auc": None}, dropped=[])  # type: ignore[dict-item]
    assert second == Entry(round=1, aggregation={"heating": [[1.0]]}, dropped=[Dropped("b", "late")])


def test_a_round_that_was_being_written_does_not_count(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", RunConfig())
    run.rounds.write({"a": model(0)}, Entry(round=0))
    (run.folder / "rounds" / "0001.partial").mkdir()
    assert run.rounds.last() == 0
    run.rounds.write({"a": model(0)}, Entry(round=1))
    assert run.rounds.last() == 1


def test_interactions_come_back(tmp_path: Path) -> None:
    rows = Interactions(
        np.array([1, 0, 1], np.int32), np.array([5, 6, 7], np.int32), np.array([1, 0, 1], np.int8), np.array([3, 2, 1]),
        np.array([0, 1, 2], np.int8), ("Zoë", "b"), np.array([0, 0, 0], np.int32), ("g",), np.array([0.1, 0.2, 0.3]),
    )  # fmt: skip
    catalogue = Catalogue(tuple("abcdefgh"), tuple("ABCDEFGH"))
    home = Home(tmp_path / "client")
    home.write_interactions(rows, catalogue)
    back = home.interactions(catalogue)
    for name, value in vars(rows).items():
        assert np.array_equal(getattr(back, name), value), name
    with pytest.raises(FedrecError, match=r"vault\.db"):
        Home(tmp_path / "nobody").interactions(catalogue)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), replacing(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_broken_json_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(FedrecError, match="not JSON"):
        read_json(tmp_path / "x.json")


def test_the_newest_run_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no run under runs/"):
        open_run()
    for age, name in ((100, "old"), (0, "new"), (50, "middle")):
        run = create_run(Path("runs") / name, RunConfig())
        os.utime(run.folder / "config.json", (time.time() - age,) * 2)
    assert open_run().name == "new"
    assert open_run("runs/old").name == "old"
    with pytest.raises(UsageError, match="no run there"):
        open_run("runs/none")
    with pytest.raises(UsageError, match="holds a run"):
        create_run(Path("runs/old"), RunConfig())


def test_of_a_sharded_model_is_told_what_is_for_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run, model = create_run(Path("runs/run"), RunConfig()).folder, Path("runs/model")
    write_json(model / METHOD, {})
    for newest, other in ((run / "config.json", model / METHOD), (model / METHOD, run / "config.json")):
        os.utime(other, (time.time() - 100,) * 2)
        os.utime(newest)
        assert find_run_or_model() == newest.parent
        assert open_run().name == "run"
    assert (find_run_or_model(run), find_run_or_model(model)) == (run, model)
    for opens in (open_run, api.open_run, api.resume, lambda path: export("client-0", tmp_path / "to", path)):
        with pytest.raises(UsageError, match="a sharded model of `fedrec unlearn train`; this is for runs of"):
            opens(model)
