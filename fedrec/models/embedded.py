"""The embedded base model: a small Llama that knows the words of a catalogue and how a history of likes reads.

It is made from public things only: the catalogue's titles and texts, and the timelines of people who are in no client.
Where a catalogue comes without such people, imagined ones are made for it: they like some words of the titles and not
others, and no row of the data set has a part in that. Equal input gives an equal model (on one machine), built once and
kept in `$FEDREC_CACHE` or `~/.cache/fedrec`. Steps are bounded, so that a big catalogue takes hardly longer than a
small one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from transformers.utils import logging

from fedrec.config import PromptConfig, TrainConfig
from fedrec.console.progress import PATIENCE, bar, say
from fedrec.data.dataset import Catalogue, Interactions
from fedrec.data.generated import World
from fedrec.data.imagined_cohort import imagined_cohort
from fedrec.data.prompts import PromptEncoder
from fedrec.errors import FedrecError, UsageError, os_fault
from fedrec.files import read_json, storing, write_json
from fedrec.hardware import fast_precision, settle_threads, threads, torch_device
from fedrec.models.item_tokens import reading_titles
from fedrec.models.pretraining import (
    END,
    Batch,
    language_batches,
    new_llama,
    pretrain,
    token_batches,
    train_tokenizer,
)


@dataclass(frozen=True)
class Recipe:
    """How the model is made; part of its identity in the cache.

    Attributes:
        language_steps, timeline_steps: at most so many, where the passes over a big catalogue would take more.
        items: it reads a token of its own behind every title (`item_tokens`), a mean of the title's.
    """

    version: int = 5
    vocabulary: int = 4000
    width: int = 128
    layers: int = 4
    context: int = 1024
    language_passes: int = 6
    timeline_passes: int = 2
    language_steps: int = 256
    timeline_steps: int = 768
    window: int = 256
    batch_tokens: int = 1024
    language_lr: float = 2e-3
    timeline_lr: float = 7e-4
    seed: int = 2
    items: bool = False


def recipe_for(world: World | None, items: bool = False) -> Recipe:
    """The usual one; each imagined person is met once, so that there is nothing to learn by heart."""
    if world is not None:
        return Recipe(items=items)
    return Recipe(items=items, timeline_passes=1, timeline_steps=1024)


def ensure_embedded(
    catalogue: Catalogue, world: World | None = None, recipe: Recipe | None = None, *, force: bool = False
) -> Path:
    """The folder of the embedded model for a catalogue; built, with progress, if it is not there yet.

    Args:
        world: the generated world the catalogue belongs to, with its public cohort and texts; none for real data.
        force: build it anew, even if it is there.

    Raises:
        FedrecError: it is not there, and cannot be kept.
    """
    recipe = recipe or recipe_for(world)
    texts, cohort = _public(catalogue, world, recipe)
    folder = cache() / _name(catalogue, texts, cohort, recipe)
    if folder.exists() and not force:
        return folder
    partial = folder.with_name(folder.name + ".partial")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _only_one(folder):
            if force or not folder.exists():
                shutil.rmtree(partial, ignore_errors=True)
                build(partial, catalogue, texts, cohort, recipe)
                shutil.rmtree(folder, ignore_errors=True)
                partial.rename(folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise FedrecError(
            f"{os_fault(error)}; the embedded base cannot be kept under {folder.parent}: make room, name another folder"
            " (FEDREC_CACHE=FOLDER), or another base (--base)"
        ) from None
    return folder


def embedded_folder(catalogue: Catalogue, world: World | None = None, recipe: Recipe | None = None) -> Path:
    """Where `ensure_embedded` has the model; nothing is built."""
    recipe = recipe or recipe_for(world)
    return cache() / _name(catalogue, *_public(catalogue, world, recipe), recipe)


def build(folder: Path, catalogue: Catalogue, texts: Sequence[str], cohort: Interactions, recipe: Recipe) -> None:
    """Make the model and its tokenizer in `folder`."""
    titles = sorted(set(catalogue.titles))
    tokenizer = train_tokenizer([*texts, *titles], recipe.vocabulary)
    model = new_llama(len(tokenizer), recipe.width, recipe.layers, recipe.context, recipe.seed)
    documents = tokenizer([*texts, *titles], add_special_tokens=False)["input_ids"]
    prompts = PromptConfig(window=recipe.window)
    encoder = PromptEncoder(tokenizer, catalogue.titles, prompts, recipe.context)
    words, title_tokens = len(tokenizer), encoder.titles
    if recipe.items:
        encoder = encoder.with_items(words, prompts, recipe.context)
    windows = encoder.windows(cohort, np.ones(len(cohort), bool))
    random = np.random.default_rng(recipe.seed)
    end: int = tokenizer.get_vocab()[END]
    rows = recipe.batch_tokens // recipe.window
    language = _passes(
        lambda: language_batches(documents, end, recipe.window, rows, random),
        recipe.language_passes, recipe.language_steps,
    )  # fmt: skip
    timelines = _passes(
        lambda: token_batches(windows, cohort.label, encoder.template.answers, recipe.batch_tokens, random, words),
        recipe.timeline_passes, recipe.timeline_steps,
    )  # fmt: skip
    hardware = settle_threads(TrainConfig(device="cpu"), model)
    precision = fast_precision(torch_device("cpu"))
    bf16 = precision == "bf16"
    with bar("base model") as tick, threads(hardware.threads):
        advance = _counter(tick, len(language) + len(timelines))
        pretrain(model, language, recipe.language_lr, bf16, advance)
        with reading_titles(model, title_tokens):
            losses = pretrain(model, timelines, recipe.timeline_lr, bf16, advance)
    logging.disable_progress_bar()
    folder.mkdir(parents=True)
    with storing(folder):
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    facts = {"steps": len(losses), "loss": float(np.mean(losses[-50:]))}
    machine = {"threads": hardware.threads, "precision": precision}
    write_json(folder / "built.json", {**vars(recipe), **machine, **facts})


def cache() -> Path:
    """Where built models are kept.

    Raises:
        UsageError: nobody says where, and there is no home.
    """
    try:
        return Path(os.environ.get("FEDREC_CACHE") or Path.home() / ".cache" / "fedrec")
    except RuntimeError:
        raise UsageError("there is no home folder to keep the embedded base in: set FEDREC_CACHE=FOLDER") from None


def _passes(once: Callable[[], Iterator[Batch]], passes: int, steps: int) -> list[Batch]:
    """So many passes, but no more than so many steps."""
    return list(islice(chain.from_iterable(once() for _ in range(passes)), steps))


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """One process builds it; whoever else wants it is told whom it waits for."""
    holder, lock = folder.with_name(folder.name + ".holder"), FileLock(f"{folder}.lock")
    patience = 0.0
    while not lock.is_locked:
        try:
            lock.acquire(timeout=patience)
        except Timeout:
            say(f"base model: waiting for {_told(holder)}, which builds it")
            patience = PATIENCE
    try:
        write_json(holder, {"process": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%H:%M:%S")})
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _told(holder: Path) -> str:
    """Who holds the lock."""
    try:
        facts = read_json(holder)
        return f"process {facts['process']} on {facts['host']} (since {facts['since']})"
    except FedrecError:  # it has only just begun, or has just ended
        return "another process"


def _counter(tick: Callable[[int, int], None], total: int) -> Callable[[float], None]:
    done = 0

    def advance(loss: float) -> None:
        nonlocal done
        done += 1
        tick(done, total)

    return advance


def _public(catalogue: Catalogue, world: World | None, recipe: Recipe) -> tuple[Sequence[str], Interactions]:
    """The texts and timelines it reads."""
    return ((), imagined_cohort(catalogue, recipe.seed)) if world is None else (world.text, world.cohort)


def _name(catalogue: Catalogue, texts: Sequence[str], cohort: Interactions, recipe: Recipe) -> str:
    digest = hashlib.sha256(repr((recipe, catalogue.titles, tuple(texts))).encode())
    for column in (cohort.user, cohort.item, cohort.label):
        digest.update(column.tobytes())
    return f"base-{digest.hexdigest()[:12]}"
