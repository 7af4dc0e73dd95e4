"""A run's base is the one it was made over, byte by byte, or nothing is done with it; the embedded one comes back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from clients.app import app as client_app
from fedrec.base_models import recorded
from fedrec.base_models.recorded import RECORD, base_of, keep_base, record_base
from fedrec.config import RunConfig, load
from fedrec.data.dataset import Catalogue
from fedrec.data.selection import Selection
from fedrec.errors import FedrecError
from fedrec.models import embedded
from fedrec.models.base import load_base
from fedrec.models.files import model_files
from server.federated_executor import FederatedExecutor
from server.launch import simulate
from server.prepare import finish, prepare
from server.simulated_run import SimulatedRun
from server.transports.in_process import LocalGrid
from tests.conftest import Settings
from tests.models.saved import SIZES, altered, save_base

NOTHING = Catalogue(("1",), ("red storm",))


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, RunConfig]:
    """A folder with the record of a base, and its configuration."""
    config = load(overrides={"base": str(save_base(tmp_path / "base", **SIZES)), "train.precision": "fp32"})
    record_base(tmp_path, load_base(str(config.base)))
    return tmp_path, config


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_byte_of_any_file_may_change(kept: tuple[Path, RunConfig], data: st.DataObject) -> None:
    folder, config = kept
    path = data.draw(st.sampled_from(list(model_files(folder / "base").values())))
    at, content = data.draw(st.integers(0, path.stat().st_size - 1)), path.read_bytes()
    altered(path, at)
    with pytest.raises(FedrecError, match=f"{path} is not the file that {folder} was made over") as caught:
        base_of(folder, config, NOTHING)
    assert "\n" not in str(caught.value)
    path.write_bytes(content)
    base_of(folder, config, NOTHING)  # put back, at another time


def test_files_as_they_were_are_not_even_read(kept: tuple[Path, RunConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "sha256", lambda path: pytest.fail(f"{path} is read"))
    assert base_of(*kept, NOTHING).source == str(kept[0] / "base")


def test_files_that_go_or_come_are_named(kept: tuple[Path, RunConfig]) -> None:
    folder, config = kept
    (folder / "base" / "README.md").write_text("reads nobody")
    base_of(folder, config, NOTHING)
    (folder / "base" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(FedrecError, match=r"pytorch_model\.bin was not there"):
        base_of(folder, config, NOTHING)
    (folder / "base" / "pytorch_model.bin").unlink()
    (folder / "base" / "tokenizer.json").unlink()
    with pytest.raises(FedrecError, match=r"tokenizer\.json: no such file, though"):
        base_of(folder, config, NOTHING)
    shutil.rmtree(folder / "base")
    with pytest.raises(FedrecError, match=r"base: no such folder; put"):
        base_of(folder, config, NOTHING)
    (folder / RECORD).unlink()
    with pytest.raises(FedrecError, match="does not say which base model"):
        base_of(folder, config, NOTHING)


def test_weights_in_folders_below_are_recorded_and_those_outside_refused(tiny_base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "base"
    shutil.copytree(tiny_base, folder)
    (folder / "below").mkdir()
    (folder / "model.safetensors").rename(folder / "below" / "w.safetensors")
    names = list(load_file(folder / "below" / "w.safetensors"))
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(names, "below/w.safetensors")}))
    assert "below/w.safetensors" in model_files(folder)
    record_base(tmp_path, load_base(str(folder)))
    weights = load_file(folder / "below" / "w.safetensors")
    weights[names[0]] = weights[names[0]] + 1
    save_file(weights, folder / "below" / "w.safetensors", {"format": "pt"})
    with pytest.raises(FedrecError, match=r"w\.safetensors"):
        base_of(tmp_path, load(overrides={"base": str(folder)}), NOTHING)
    index.write_text(json.dumps({"weight_map": dict.fromkeys(names, "../other/w.safetensors")}))
    with pytest.raises(FedrecError, match="outside the folder"):
        model_files(folder)


def test_what_is_added_to_keeps_its_base(kept: tuple[Path, RunConfig], tmp_path: Path) -> None:
    folder, config = kept
    keep_base(tmp_path / "new", load_base(str(config.base)))
    keep_base(tmp_path / "new", load_base(str(config.base)))
    altered(folder / "base" / "model.safetensors")
    with pytest.raises(FedrecError, match="is not the file"):
        keep_base(tmp_path / "new", load_base(str(config.base)))


def test_a_changed_base_is_loaded_again(kept: tuple[Path, RunConfig]) -> None:
    folder, config = kept
    before = load_base(str(config.base))
    assert load_base(str(config.base)) is before
    altered(folder / "base" / "model.safetensors")
    assert load_base(str(config.base)) is not before


def test_a_hub_id_stays_at_its_revision(kept: tuple[Path, RunConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    """As it lies in the hub's cache: somebody's second commit does not reach a run over the first."""
    hub = kept[0] / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub))
    monkeypatch.setattr("transformers.utils.hub.constants.HF_HUB_CACHE", str(hub))
    model = hub / "models--somebody--tiny"

    def commit(revision: str) -> Path:
        (model / "refs").mkdir(parents=True, exist_ok=True)
        (model / "refs" / "main").write_text(revision)
        return Path(shutil.copytree(kept[0] / "base", model / "snapshots" / revision))

    first = commit("a" * 40)
    config = load(overrides={"base": "somebody/tiny"})
    record_base(hub, load_base("somebody/tiny"))
    altered(commit("b" * 40) / "model.safetensors")
    assert base_of(hub, config, NOTHING).revision == "a" * 40
    assert load_base("somebody/tiny", precision="bf16").revision == "b" * 40  # not loaded yet in this process
    altered(first / "model.safetensors")
    with pytest.raises(FedrecError, match="is not the file"):
        base_of(hub, config, NOTHING)


USES: dict[str, Callable[[SimulatedRun], object]] = {
    "resume": finish,
    "recommend": lambda run: run.recommend("u03", 3),
    "retrain": lambda run: _erased(run),
}


def _erased(run: SimulatedRun) -> dict[str, int]:
    """Forget a person by the federation's own means; how many rows that were."""
    erasure = FederatedExecutor(run, LocalGrid(client_app, run.nodes()))
    chosen = Selection(users=("u07",))
    shards = erasure.locate(chosen).shards
    erasure.withdraw(chosen, None, shards)
    deleted = erasure.erase(chosen, None, "request")
    models = erasure.retrain(shards, run.folder / "again")
    erasure.serve(shards, models)
    erasure.measure(shards, models, run.folder / "again")
    return deleted


@pytest.mark.parametrize("use", USES)
def test_nothing_is_done_over_altered_weights(use: str, small: Settings, tiny_base: Path, tmp_path: Path) -> None:
    base = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    run = prepare(load(overrides=small(base=str(base), federation__rounds=1)), tmp_path / "run")
    simulate(run)
    altered(base / "model.safetensors")
    with pytest.raises(FedrecError, match=r"model\.safetensors is not the file that"):
        USES[use](run)


@pytest.fixture
def small_recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> embedded.Recipe:
    """What the embedded base is built by here, into a cache of the test's own."""
    recipe = replace(
        embedded.Recipe(), vocabulary=400, width=32, layers=1, context=128, language_passes=1, imagined=60,
        public_passes=1, window=128,
    )  # fmt: skip
    monkeypatch.setattr(embedded, "Recipe", partial(replace, recipe))
    monkeypatch.setenv("FEDREC_CACHE", str(tmp_path / "cache"))
    return recipe


def test_the_embedded_base_comes_back_wherever_the_cache_is(
    small: Settings, small_recipe: embedded.Recipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = prepare(load(overrides=small(base=None, federation__rounds=1)), tmp_path / "run")
    simulate(run)
    before = run.recommend("u03", 5)
    shutil.rmtree(tmp_path / "cache")
    assert SimulatedRun(run.folder).recommend("u03", 5) == before
    shutil.rmtree(tmp_path / "cache")
    monkeypatch.setenv("FEDREC_CACHE", str(tmp_path / "elsewhere"))
    assert sum(_erased(SimulatedRun(run.folder)).values()) > 0
    assert not (tmp_path / "cache").exists()

    base = embedded.ensure_embedded(run.catalogue)
    altered(base / "model.safetensors")
    with pytest.raises(FedrecError, match=f"is not the file .*; remove {base}, and it is built again"):
        run.recommend("u03", 5)
    shutil.rmtree(base)
    run.recommend("u03", 5)


def test_what_cannot_be_built_again_is_said(
    small: Settings, small_recipe: embedded.Recipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = prepare(load(overrides=small(base=None, federation__rounds=1)), tmp_path / "run")
    shutil.rmtree(tmp_path / "cache")
    monkeypatch.setattr(embedded, "Recipe", partial(replace, small_recipe, seed=3))
    with pytest.raises(FedrecError, match="no such folder; put"):
        finish(run)

    def otherwise(catalogue: Catalogue, *rest: object, **kind: object) -> Path:
        folder = right(catalogue, *rest, **kind)
        altered(folder / "model.safetensors")
        return folder

    right = embedded.ensure_embedded
    monkeypatch.setattr(embedded, "Recipe", partial(replace, small_recipe))
    monkeypatch.setattr(embedded, "ensure_embedded", otherwise)
    with pytest.raises(FedrecError, match=r"is not the file .*; remove .*, bring it from the run's machine"):
        finish(run)


def test_a_preparation_broken_off_builds_its_base_again(
    small: Settings, small_recipe: embedded.Recipe, tmp_path: Path
) -> None:
    run = prepare(load(overrides=small(base=None)), tmp_path / "run")
    base = embedded.ensure_embedded(run.catalogue)
    (run.folder / "reference.json").unlink()
    shutil.rmtree(tmp_path / "cache")
    assert finish(SimulatedRun(run.folder)).prepared
    assert base.is_dir()
