"""The embedded base model: a small Llama that knows the words of a catalogue and how a history of likes reads.

It is made from public things only: the catalogue's titles and texts, and the timelines of people who are in no client.
Where a catalogue comes without such people, imagined ones are made for it: they like some words of the titles and not
others, and no row of the data set has a part in that. Equal input gives an equal model (on one machine), built once and
kept in `$FEDREC_CACHE` or `~/.cache/fedrec`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from transformers.utils import logging

from fedrec.config import PromptConfig, TrainConfig
from fedrec.data.cohort import imagined_cohort
from fedrec.data.generated import World
from fedrec.data.prompts import PromptEncoder
from fedrec.data.table import Catalogue, Interactions
from fedrec.files import write_json
from fedrec.hardware import resolve, threads
from fedrec.models.pretraining import (
    END,
    language_batches,
    new_llama,
    pretrain,
    token_batches,
    train_tokenizer,
)
from fedrec.progress import bar


@dataclass(frozen=True)
class Recipe:
    """How the model is made; part of its identity in the cache."""

    version: int = 4
    vocabulary: int = 4000
    width: int = 128
    layers: int = 4
    context: int = 1024
    language_passes: int = 6
    timeline_passes: int = 2
    window: int = 256
    batch_tokens: int = 1024
    language_lr: float = 2e-3
    timeline_lr: float = 7e-4
    seed: int = 2


def ensure_embedded(
    catalogue: Catalogue, world: World | None = None, recipe: Recipe | None = None, *, force: bool = False
) -> Path:
    """The folder of the embedded model for a catalogue; built, with progress, if it is not there yet.

    Args:
        world: the generated world the catalogue belongs to, with its public cohort and texts; none for real data.
        force: build it anew, even if it is there.
    """
    recipe = recipe or Recipe()
    texts = world.text if world is not None else ()
    cohort = world.cohort if world is not None else imagined_cohort(catalogue, recipe.seed)
    folder = cache() / f"base-{_key(catalogue, texts, cohort, recipe)}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):  # two processes may want it at once
        if force or not folder.exists():
            partial = folder.with_name(folder.name + ".partial")
            shutil.rmtree(partial, ignore_errors=True)
            build(partial, catalogue, texts, cohort, recipe)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
    return folder


def build(folder: Path, catalogue: Catalogue, texts: Sequence[str], cohort: Interactions, recipe: Recipe) -> None:
    """Make the model and its tokenizer in `folder`."""
    titles = sorted(set(catalogue.titles))
    tokenizer = train_tokenizer([*texts, *titles], recipe.vocabulary)
    model = new_llama(len(tokenizer), recipe.width, recipe.layers, recipe.context, recipe.seed)
    documents = tokenizer([*texts, *titles], add_special_tokens=False)["input_ids"]
    prompts = PromptConfig(window=recipe.window)
    encoder = PromptEncoder(tokenizer, catalogue.titles, prompts, recipe.context)
    windows = encoder.windows(cohort, np.ones(len(cohort), bool))
    random = np.random.default_rng(recipe.seed)
    end: int = tokenizer.get_vocab()[END]
    rows = recipe.batch_tokens // recipe.window
    language = [
        batch
        for _ in range(recipe.language_passes)
        for batch in language_batches(documents, end, recipe.window, rows, random)
    ]
    timelines = [
        batch
        for _ in range(recipe.timeline_passes)
        for batch in token_batches(windows, cohort.label, encoder.template.answers, recipe.batch_tokens, random)
    ]
    hardware = resolve(TrainConfig(device="cpu"))
    bf16 = hardware.precision == "bf16"
    with bar("base model") as tick, threads(hardware.threads):
        advance = _counter(tick, len(language) + len(timelines))
        pretrain(model, language, recipe.language_lr, bf16, advance)
        losses = pretrain(model, timelines, recipe.timeline_lr, bf16, advance)
    logging.disable_progress_bar()
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    facts = {"steps": len(losses), "loss": float(np.mean(losses[-50:]))}
    machine = {"threads": hardware.threads, "precision": hardware.precision}
    write_json(folder / "built.json", {**vars(recipe), **machine, **facts})


def cache() -> Path:
    """Where built models are kept."""
    return Path(os.environ.get("FEDREC_CACHE") or Path.home() / ".cache" / "fedrec")


def _counter(tick: Callable[[int, int], None], total: int) -> Callable[[float], None]:
    done = 0

    def advance(loss: float) -> None:
        nonlocal done
        done += 1
        tick(done, total)

    return advance


def _key(catalogue: Catalogue, texts: Sequence[str], cohort: Interactions, recipe: Recipe) -> str:
    digest = hashlib.sha256(repr((recipe, catalogue.titles, tuple(texts))).encode())
    for column in (cohort.user, cohort.item, cohort.label):
        digest.update(column.tobytes())
    return digest.hexdigest()[:12]
