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
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

from fedrec.config import PromptConfig, TrainConfig
from fedrec.console.progress import PATIENCE, bar, say
from fedrec.data.dataset import Catalogue
from fedrec.data.generated import World
from fedrec.data.imagined_cohort import imagined_cohort, rows_that_tell
from fedrec.data.prompts import PromptEncoder, Tokens, Window
from fedrec.errors import FedrecError, UsageError, os_fault
from fedrec.files import read_json, storing, write_json
from fedrec.hardware import settle_threads, threads
from fedrec.models.item_tokens import reading_items
from fedrec.models.pretraining import (
    END,
    Answers,
    AnyBatch,
    Batch,
    answer_loss,
    language_batches,
    new_llama,
    next_token_loss,
    pretrain,
    timeline_batches,
    train_tokenizer,
)


@dataclass(frozen=True)
class Recipe:
    """How the model is made; part of its identity in the cache.

    Attributes:
        language_steps, timeline_steps: at most so many, where the passes over a big catalogue would take more.
        imagined: people, each read once; public_passes: over people who are not, where there are such.
        rank: it reads a token of its own behind every title (`item_tokens`), with a learnt row of that rank; 0 = none.
    """

    version: int = 6  # whatever is imagined is part of it, and what is done with it
    imagined: int = 4800
    public_passes: int = 1
    vocabulary: int = 4000
    width: int = 128
    layers: int = 4
    context: int = 1024
    language_passes: int = 6
    language_steps: int = 128
    timeline_steps: int = 1100
    window: int = 320
    batch_tokens: int = 1024
    language_lr: float = 2e-3
    timeline_lr: float = 1e-3
    seed: int = 2
    rank: int = 0


def ensure_embedded(
    catalogue: Catalogue, world: World | None = None, recipe: Recipe | None = None, *, force: bool = False
) -> Path:
    """The folder of the embedded model for a catalogue; built, with progress, if it is not there yet.

    Args:
        world: the generated world the catalogue belongs to, with its public cohort and texts; none for real data.
        force: build it anew, even if it is there.

    Raises:
        FedrecError: it is not there, and cannot be kept.
        KeyboardInterrupt: stopped; says that nothing is left of the work.
    """
    recipe = recipe or Recipe()
    folder = embedded_folder(catalogue, world, recipe)
    if folder.exists() and not force:
        return folder
    partial = folder.with_name(folder.name + ".partial")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _only_one(folder):
            if force or not folder.exists():
                shutil.rmtree(partial, ignore_errors=True)
                build(partial, catalogue, world, recipe)
                shutil.rmtree(folder, ignore_errors=True)
                partial.rename(folder)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the base model was not finished, and is built from its beginning then") from None
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise FedrecError(
            f"{os_fault(error)}; the embedded base cannot be kept under {folder.parent}: make room, name another folder"
            " (FEDREC_CACHE=FOLDER), or another base (--base)"
        ) from None
    return folder


def embedded_folder(catalogue: Catalogue, world: World | None = None, recipe: Recipe | None = None) -> Path:
    """Where `ensure_embedded` has the model; nothing is built."""
    recipe = recipe or Recipe()
    return cache() / _name(catalogue, world, recipe)


def build(folder: Path, catalogue: Catalogue, world: World | None, recipe: Recipe) -> None:
    """Make the model and its tokenizer in `folder`."""
    texts = () if world is None else world.text
    titles = sorted(set(catalogue.titles))
    tokenizer = train_tokenizer([*texts, *titles], recipe.vocabulary)
    model = new_llama(len(tokenizer), recipe.width, recipe.layers, recipe.context, recipe.seed)
    random = np.random.default_rng(recipe.seed)
    language = _language(tokenizer, [*texts, *titles], recipe, random) if texts else []
    timelines = _timelines(tokenizer, catalogue, world, recipe, random)
    hardware = settle_threads(TrainConfig(device="cpu"), model)
    with bar("base model") as tick, threads(hardware.threads):
        advance = _counter(tick, len(language) + len(timelines.batches))
        pretrain(model, language, next_token_loss, recipe.language_lr, advance)
        with timelines.reading(model):
            losses = pretrain(model, timelines.batches, answer_loss(timelines.answers), recipe.timeline_lr, advance)
    logging.disable_progress_bar()
    folder.mkdir(parents=True)
    with storing(folder):
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    facts = {"steps": len(losses), "loss": float(np.mean(losses[-50:])), "threads": hardware.threads}
    write_json(folder / "built.json", {**vars(recipe), **facts})


@dataclass(frozen=True)
class _Timelines:
    """
    Attributes:
        answers: tokens of no and yes.
        titles: of each row, where it has an item of its own; learnt: (n, r) what an adapter would add to that.
    """

    batches: list[Answers]
    answers: tuple[int, int]
    titles: Sequence[Tokens]
    learnt: NDArray[np.float32]

    def reading(self, model: LlamaForCausalLM) -> AbstractContextManager[None]:
        """While it lasts, the model reads those items."""
        return reading_items(model, self.titles, self.learnt) if self.titles else nullcontext()


def _language(
    tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], recipe: Recipe, random: np.random.Generator
) -> list[Batch]:
    documents = tokenizer(texts, add_special_tokens=False)["input_ids"]
    end: int = tokenizer.get_vocab()[END]
    rows = recipe.batch_tokens // recipe.window
    return _passes(
        lambda: language_batches(documents, end, recipe.window, rows, random),
        recipe.language_passes, recipe.language_steps,
    )  # fmt: skip


def _timelines(
    tokenizer: PreTrainedTokenizerFast,
    catalogue: Catalogue,
    world: World | None,
    recipe: Recipe,
    random: np.random.Generator,
) -> _Timelines:
    """What people say, imagined ones and the world's public ones."""
    if world is None:
        imagined = imagined_cohort(catalogue, recipe.seed, recipe.imagined, recipe.rank)
        people, learnt, chances = [imagined.rows], [imagined.learnt], [imagined.chance]
    else:
        people = [world.cohort] * recipe.public_passes
        learnt = [rows_that_tell(rows.label, recipe.rank, random) for rows in people]
        chances = [rows.label.astype(np.float64) for rows in people]
    prompts = PromptConfig(window=recipe.window)
    plain = PromptEncoder(tokenizer, catalogue.titles, prompts, recipe.context)
    items = np.concatenate([rows.item for rows in people]).tolist()
    encoder = plain.with_items(len(tokenizer), prompts, recipe.context, items) if recipe.rank else plain
    windows: list[Window] = []
    first = 0
    for rows in people:
        numbered = replace(rows, item=np.arange(first, first + len(rows), dtype=np.int32)) if recipe.rank else rows
        found = encoder.windows(numbered, np.ones(len(rows), bool))
        windows += [replace(window, rows=window.rows + first) for window in found]
        first += len(rows)
    batches = list(timeline_batches(windows, np.concatenate(chances), recipe.batch_tokens, random))
    batches = batches[: recipe.timeline_steps]
    titles = [plain.titles[item] for item in items] if recipe.rank else []
    return _Timelines(batches, plain.template.answers, titles, np.concatenate(learnt))


def cache() -> Path:
    """Where built models are kept.

    Raises:
        UsageError: nobody says where, and there is no home.
    """
    try:
        return Path(os.environ.get("FEDREC_CACHE") or Path.home() / ".cache" / "fedrec")
    except RuntimeError:
        raise UsageError("there is no home folder to keep the embedded base in: set FEDREC_CACHE=FOLDER") from None


def _passes(once: Callable[[], Iterator[AnyBatch]], passes: int, steps: int) -> list[AnyBatch]:
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


def _name(catalogue: Catalogue, world: World | None, recipe: Recipe) -> str:
    texts = () if world is None else world.text
    digest = hashlib.sha256(repr((recipe, catalogue.titles, tuple(texts))).encode())
    if world is not None:
        for column in (world.cohort.user, world.cohort.item, world.cohort.label):
            digest.update(column.tobytes())
    return f"base-{digest.hexdigest()[:12]}"
