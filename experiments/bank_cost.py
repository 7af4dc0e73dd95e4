"""What a bank spares: student and three teachers over one base model, and shadow adapters trained together.

    python -m experiments.bank_cost

    memory   peak of a process above what it holds before the model is made: E2URec with original, augmented and initial
             teachers beside plain LoRA training, as many rows a step
    passes   seconds a row of four teachers' answers, beside four passes, each over the model with that adapter alone
    shadows  seconds of training adapters as one routed bank, beside one after another; and how far they then differ

Seconds are the processor's; medians over repetitions in alternating order. The base is untrained: only sizes count.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
from collections.abc import Callable
from contextlib import closing
from statistics import median
from time import process_time
from typing import Annotated, Any

import numpy as np
import torch
import typer

from experiments.common import run_command, write_result
from fedrec.config import LoraConfig, TrainConfig
from fedrec.data.prompts import Window
from fedrec.models.adapter import initial_state
from fedrec.models.adapter_bank import AdapterBank, Routed
from fedrec.models.item_tokens import extended
from fedrec.models.pretraining import new_llama
from fedrec.tasks.like import YesOrNo
from fedrec.training.lesson import Lesson
from fedrec.training.loop import train
from fedrec.training.step import Learning
from fedrec.training.together import train_together
from unlearning.approximate.teachers import Teachers
from unlearning.approximate.work import Unlearning
from unlearning.methods import method_named
from unlearning.methods.approximate import FineTuning
from unlearning.shards.training import Forgotten, Job, ShardTraining

WORDS, ITEMS, TITLE = 2000, 500, 8  # tokens of a title, its item's own among them
LORA = LoraConfig()
CONFIG = TrainConfig(batch=4, warmup=0, stop="never", device="cpu", precision="fp32", checkpoint_seconds=1e9)
_TEACHERS = "e2urec:augmenting=1:alone=0:paired=1"


def base(width: int, layers: int) -> Any:
    titles = tuple((3 + item % (WORDS - 3),) * 4 for item in range(ITEMS))
    return extended(new_llama(WORDS, width, layers, 1024, 0), titles, 4)


def lesson(windows: int, rows: int, seed: int) -> Lesson:
    """Windows of so many answers each, a person each."""
    random, found = np.random.default_rng(seed), []
    for number in range(windows):
        titles = random.integers(3, WORDS, (rows, TITLE))
        titles[:, -1] = WORDS + random.integers(0, ITEMS, rows)
        at = np.arange(rows) * TITLE + TITLE - 1
        found.append(Window(titles.ravel(), at, number * rows + np.arange(rows), number * rows))
    labels = random.integers(0, 2, windows * rows).astype(np.int8)
    users = (np.repeat(np.arange(windows), rows) + 10_000 * seed).astype(np.int32)
    return Lesson(found, labels, users, YesOrNo((1, 2)), (seed, "shard", 0, 0), 0, 1)


def learning(model: Any, windows: int, rows: int, seed: int) -> Learning:
    return Learning(model, LORA, initial_state(model, LORA, seed), lesson(windows, rows, seed), CONFIG)


def plain(model: Any, rows: int) -> None:
    """Batches of four windows."""
    train(learning(model, 8, rows, 1))


def with_teachers(model: Any, rows: int) -> None:
    """Batches of two windows to be forgotten and two retained ones."""
    told, config = learning(model, 8, rows, 1), CONFIG.model_copy(update={"batch": 2})
    method = method_named(_TEACHERS, 1)
    assert isinstance(method, FineTuning)
    training = ShardTraining(Job(0, (told.lesson,), ("",)), 0, told.start, LORA, config)
    Unlearning(method, training, Forgotten(told.start, lesson(4, rows, 2))).run(model, lambda *_: None)


KINDS: dict[str, Callable[[Any, int], None]] = {"plain": plain, "teachers": with_teachers}


def megabytes(kind: str, width: int, layers: int, rows: int) -> float:
    """Peak above what the process held before."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    KINDS[kind](base(width, layers), rows)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def seconds(*ways: Callable[[], object], times: int) -> list[float]:
    """Median of each, in alternating order, after one that does not count."""
    found: list[list[float]] = [[] for _ in ways]
    for number in range(times + 1):
        for way, told in zip(ways, found, strict=True):
            began = process_time()
            way()
            if number:
                told.append(process_time() - began)
    return [median(told) for told in found]


def passes(model: Any, rows: int, times: int, adapters: int = 4) -> dict[str, float]:
    """Seconds a row by each of the adapters."""
    told = learning(model, 4, rows, 1)
    windows = list(told.lesson.windows)
    many: Any = {f"teacher {number}": told.start for number in range(adapters)}

    def together() -> None:
        with closing(Teachers(told, many)) as teachers:
            teachers.answers(windows)

    def alone() -> None:
        for state in many.values():
            with AdapterBank(model, LORA, items=told.items) as bank, torch.no_grad():
                bank.load(0, state)
                told.logits(windows, bank, Routed(0))

    one, four = seconds(together, alone, times=times)
    count = sum(len(window.rows) for window in windows)
    return {"together": one / count, "one_after_another": four / count, "ratio": one / four}


def shadows(model: Any, rows: int, times: int, count: int) -> dict[str, float]:
    """Each learns from windows of its own; the largest difference of a number in them, by the way of training."""
    told = [learning(model, 4, rows, seed) for seed in range(1, count + 1)]
    together, alone = seconds(lambda: train_together(told), lambda: [train(each) for each in told], times=times)
    pairs = zip(train_together(told), (train(each).state for each in told), strict=True)
    apart = max(float((one[key] - other[key]).abs().max()) for one, other in pairs for key in one)
    return {"together": together, "one_after_another": alone, "ratio": together / alone, "largest_difference": apart}


def main(
    width: int = 256,
    layers: int = 4,
    rows: Annotated[int, typer.Option(help="Answers in a window.")] = 16,
    count: Annotated[int, typer.Option(help="Shadow adapters.")] = 16,
    times: int = 3,
) -> None:
    """Measure, and write the table."""
    torch.set_num_threads(1)
    peaks = {}
    for kind in KINDS:
        with multiprocessing.get_context("spawn").Pool(1) as apart:
            peaks[kind] = apart.apply(megabytes, (kind, width, layers, rows))
    model = base(width, layers)
    result = {
        "settings": {"width": width, "layers": layers, "rows": rows, "shadows": count},
        "memory": {**peaks, "ratio": peaks["teachers"] / peaks["plain"]},
        "passes": passes(model, rows, times),
        "shadows": shadows(model, rows, times, count),
    }
    write_result("bank_cost", result)
    print(json.dumps(result))


if __name__ == "__main__":
    run_command(main)
