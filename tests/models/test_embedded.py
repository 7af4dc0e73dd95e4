"""The embedded base: built once, whole or not at all, equal for equal input, and made of public things only."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from fedrec import hardware
from fedrec.commands.base import app
from fedrec.config import LoraConfig, PromptConfig
from fedrec.data.dataset import Catalogue
from fedrec.data.generated import World, make_world
from fedrec.data.prompts import ANSWERS, PromptEncoder
from fedrec.data_settings import WorldConfig
from fedrec.errors import stopped
from fedrec.models import embedded
from fedrec.models.adapter import to_arrays, to_state
from fedrec.models.adapter_bank import AdapterBank, Routed, initial_state
from fedrec.models.base import fingerprint, load_base
from fedrec.models.embedded import Recipe, ensure_embedded
from fedrec.models.item_tokens import Items, extended, item_tokens, reading_items, with_items
from fedrec.models.pretraining import new_llama
from fedrec.protocol.item_rows import with_rows

RECIPE = Recipe(
    vocabulary=400, width=64, layers=1, context=128, language_passes=1, imagined=60, public_passes=1, window=128
)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(WorldConfig(users=10, items=50, rows=5, cohort=10))


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FEDREC_CACHE", str(tmp_path))
    return tmp_path


def weights(folder: Path) -> str:
    return fingerprint(load_base(str(folder)).model)


def test_it_is_built_once_and_loads(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ensure_embedded(world.private.catalogue, world, RECIPE)
    base = load_base(str(folder))
    assert base.context == 128
    assert all(answer in base.tokenizer.get_vocab() for answer in ANSWERS)
    monkeypatch.setattr(embedded, "build", lambda *_: pytest.fail("built again"))
    assert ensure_embedded(world.private.catalogue, world, RECIPE) == folder


def test_equal_input_gives_an_equal_model(world: World) -> None:
    folder = ensure_embedded(world.private.catalogue, world, RECIPE)
    first, tokenizer = weights(folder), (folder / "tokenizer.json").read_bytes()
    assert ensure_embedded(world.private.catalogue, world, RECIPE, force=True) == folder
    assert weights(folder) == first
    assert (folder / "tokenizer.json").read_bytes() == tokenizer


def test_other_input_is_another_model(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "build", lambda folder, *_: folder.mkdir())
    catalogue = world.private.catalogue
    renamed = Catalogue(catalogue.ids, ("Another (1999)", *catalogue.titles[1:]))
    flipped = replace(world, cohort=replace(world.cohort, label=1 - world.cohort.label))
    folders = {
        ensure_embedded(catalogue, world, RECIPE),
        ensure_embedded(renamed, world, RECIPE),
        ensure_embedded(catalogue, flipped, RECIPE),
        ensure_embedded(catalogue, replace(world, text=()), RECIPE),
        ensure_embedded(catalogue, None, RECIPE),
        ensure_embedded(catalogue, world, replace(RECIPE, seed=RECIPE.seed + 1)),
        ensure_embedded(catalogue, world, replace(RECIPE, rank=4)),
    }
    assert len(folders) == 7


def test_private_rows_have_no_part_in_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "build", lambda folder, *_: folder.mkdir())
    rows = world.private.interactions
    other = replace(world, private=replace(world.private, interactions=replace(rows, label=1 - rows.label)))
    catalogue = world.private.catalogue
    assert ensure_embedded(catalogue, other, RECIPE) == ensure_embedded(catalogue, world, RECIPE)


def test_a_killed_build_leaves_nothing_that_is_taken_for_a_model(
    world: World, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    save = embedded.write_json  # the last thing a build does

    def killed(path: Path, content: object) -> None:
        if path.name == "built.json":
            raise KeyboardInterrupt
        save(path, content)

    monkeypatch.setattr(embedded, "write_json", killed)
    with pytest.raises(KeyboardInterrupt, match="built from its beginning then") as raised:
        ensure_embedded(world.private.catalogue, world, RECIPE)
    told = "stopped; continue with this (the base model was not finished, and is built from its beginning then)"
    assert str(stopped("continue with this", raised.value)) == told
    assert str(stopped("continue with this", KeyboardInterrupt())) == "stopped; continue with this"
    assert [path.suffix for path in own_cache.iterdir() if path.is_dir()] == [".partial"]
    monkeypatch.setattr(embedded, "write_json", save)
    folder = ensure_embedded(world.private.catalogue, world, RECIPE)
    assert [path for path in own_cache.iterdir() if path.is_dir()] == [folder]
    load_base(str(folder))


def _build_slowly(done: Path) -> None:
    def build(folder: Path, *_: object) -> None:
        folder.mkdir()
        with done.open("a") as log:
            log.write("built\n")

    embedded.build = build  # type: ignore[assignment]
    world = make_world(WorldConfig(users=10, items=50, rows=5, cohort=10))
    ensure_embedded(world.private.catalogue, world, RECIPE)


def test_two_processes_at_once_build_it_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_build_slowly, args=(log,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert log.read_text() == "built\n"


def test_it_takes_one_thread_on_every_machine_and_leaves_the_run_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bits, and with them every hash of a run, would follow the machine's cores."""
    monkeypatch.setattr(hardware, "cores", lambda: 16)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        folder = ensure_embedded(world.private.catalogue, world, RECIPE)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert json.loads((folder / "built.json").read_text())["threads"] == 1


def test_many_texts_and_people_take_no_more_steps_than_are_allowed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def counted(model: torch.nn.Module, batches: Sequence[object], *_: object) -> list[float]:
        taken.append(len(batches))
        return [0.0]

    monkeypatch.setattr(embedded, "pretrain", counted)
    wordy = replace(world, text=world.text * 20)
    small = replace(RECIPE, language_passes=6, language_steps=30, public_passes=4, timeline_steps=10, batch_tokens=128)
    ensure_embedded(world.private.catalogue, wordy, small)
    ensure_embedded(world.private.catalogue, None, replace(small, rank=4))
    assert taken == [30, 10, 0, 10]


def test_who_waits_for_a_build_is_told_for_whom(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    building, go_on = threading.Event(), threading.Event()

    def build(folder: Path, *_: object) -> None:
        building.set()
        assert go_on.wait(60)
        folder.mkdir()

    monkeypatch.setattr(embedded, "build", build)
    monkeypatch.setattr(embedded, "PATIENCE", 0.05)
    want = partial(ensure_embedded, world.private.catalogue, world, RECIPE)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(want)
        assert building.wait(60)
        second, told = pool.submit(want), ""
        while told.count("\n") < 2:
            told += capsys.readouterr().err
        go_on.set()
        assert first.result() == second.result()
    assert told.startswith(f"base model: waiting for process {os.getpid()} on {socket.gethostname()} (since ")
    assert not list(first.result().parent.glob("*.holder"))


def test_a_base_that_reads_items_has_no_tokens_of_them(world: World) -> None:
    catalogue = world.private.catalogue
    base = load_base(str(ensure_embedded(catalogue, world, replace(RECIPE, rank=4, timeline_steps=5))))
    assert len(base.model.get_input_embeddings().weight) == len(base.tokenizer)
    assert item_tokens(with_items(base, Items(catalogue.titles, 4, 24)).model).first == len(base.tokenizer)


@pytest.mark.parametrize("learnt", [0.0, 1.0])
def test_items_are_read_as_they_will_be(learnt: float) -> None:
    """What the base reads while it is made is what the extended one reads by an adapter of those rows."""
    model = new_llama(50, 16, 1, 64, 0)
    titles = ((3, 4), (5,), (6, 7, 8))
    rows = (learnt * np.random.default_rng(0).normal(size=(3, 2))).astype(np.float32)
    ids = torch.tensor([[1, 50, 2, 52], [51, 50, 3, 4]])
    with torch.no_grad(), reading_items(model, titles, rows):
        read = model.model(ids).last_hidden_state
    with pytest.raises(IndexError):
        model.model(ids)
    whole, lora = extended(model, titles, 2), LoraConfig(rank=2)
    with AdapterBank(whole, lora) as bank, torch.no_grad():
        bank.load(0, to_state(with_rows(to_arrays(initial_state(whole, lora, 7)), np.arange(3, dtype=np.int32), rows)))
        alone = whole.model(ids).last_hidden_state
        with bank.use(Routed(0)):
            torch.testing.assert_close(whole.model(ids).last_hidden_state, read, rtol=1e-4, atol=1e-5)
    assert ((alone - read).abs().max() > 0.1) == bool(learnt)


def test_it_learns_to_read_rows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A title, asked with nothing before it, that many have liked: more so, the higher the first number of its row.

    Of people who agree, or so small a base would have to read for minutes.
    """
    agreeing = {"LEVEL": (0.4, 0.1), "MOOD": 0.0, "TASTES": (0.0,), "EFFECT": 2.0, "KNOWN": (1.0, 1.0)}
    for name, value in agreeing.items():
        monkeypatch.setattr(f"fedrec.data.imagined_cohort.{name}", value)
    catalogue = world.private.catalogue
    recipe = replace(RECIPE, rank=2, imagined=200, batch_tokens=512, timeline_lr=4e-3)
    base = load_base(str(ensure_embedded(catalogue, None, recipe)))
    encoder = PromptEncoder(base.tokenizer, catalogue.titles, PromptConfig(window=128), 128)
    no, yes = encoder.template.answers
    yes_rather_than_no = base.model.lm_head.weight[yes] - base.model.lm_head.weight[no]
    first, items = len(base.tokenizer), range(8)
    says = []
    for effect in (-1.5, 0.0, 1.5):
        learnt = np.tile(np.float32([effect, 0]), (len(items), 1))
        with torch.no_grad(), reading_items(base.model, [encoder.titles[item] for item in items], learnt):
            ids = [[*encoder.template.prefix, *encoder.titles[item], first + item] for item in items]
            hidden = [base.model.model(torch.tensor([each])).last_hidden_state[0, -1] for each in ids]
        says.append(float((torch.stack(hidden) @ yes_rather_than_no).mean()))
    assert says[0] + 0.3 < says[1] < says[2] - 0.3


def test_the_commands_build_and_describe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(embedded, "Recipe", partial(replace, RECIPE))
    sizes = [
        f"data.world.{name}={value}" for name, value in (("users", 10), ("items", 50), ("rows", 5), ("cohort", 10))
    ]
    sets = [part for size in sizes for part in ("--set", size)]
    built = CliRunner().invoke(app, ["build", "--out", str(tmp_path / "base"), "--json", "-", *sets])
    assert built.exit_code == 0, built.output
    told = CliRunner().invoke(app, ["info", str(tmp_path / "base"), "--json", "-"])
    facts = json.loads(told.stdout)
    assert facts == json.loads(built.stdout)
    assert (facts["layers"], facts["width"], facts["context"]) == (1, 64, 128)
    assert facts["adapted_layers"] == 7
    assert facts["answers"] == {"No": "<no>", "Yes": "<yes>"}
    assert facts["parameters"] == load_base(str(tmp_path / "base")).model.num_parameters()
