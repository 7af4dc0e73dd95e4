"""How soon a shard is out of the answers, while four threads keep asking.

A model of 16 shards over the embedded base answers four threads, each asking for all rows of one user after another.
Users are forgotten meanwhile. Every answer is kept with when it was asked and given and the shards that the model named
with it, and is afterwards compared, in quiet, with what exactly those shards answer, so that no answer is taken at its
word. From the call of `withdraw`:

    first without   until the first answer that the user's shard had no part in
    returned        until `withdraw` returned; whoever asks from then on must get no answer of the shard
    last with       until the last answer of the shard, which was asked before

    python -m experiments.withdrawal
"""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from experiments.common import run_command, write_result
from fedrec.base_models.named import base_name
from fedrec.config import load
from fedrec.data.load import load_dataset
from fedrec.data.prompts import Window
from fedrec.data.selection import Selection
from fedrec.ensemble.served_model import ServedModel
from fedrec.preparation import resolve
from unlearning.central.model import ShardedModel
from unlearning.comparison.compare import draw
from unlearning.methods import method_named

GOAL, THREADS = 1.0, 4
WARM, AFTER = 3.0, 1.0  # seconds of asking before a withdrawal, and after it
ASKED = 24  # users, who stay
EQUAL = 1e-6  # answers of equal shards differ by no more; those of others must


@dataclass(frozen=True)
class Answer:
    """What a thread was told of a user's rows, by which snapshot of the model, and when (monotonic seconds)."""

    asked: float
    given: float
    user: str
    by: ServedModel
    scores: NDArray[np.float64]


class Asking:
    """Threads that ask a model for as long as this context lasts."""

    def __init__(self, model: ShardedModel, users: tuple[str, ...]) -> None:
        rows = model.table.interactions
        self.model, self.n = model, len(rows)
        self.windows = {user: model.encoder.windows(rows, rows.user == rows.user_ids.index(user)) for user in users}
        self.answers: list[Answer] = []
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(THREADS)]

    def __enter__(self) -> Asking:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        users = list(self.windows)
        while not self._stop.is_set():
            number += 1
            user, began = users[number % len(users)], time.perf_counter()
            try:
                by = self.model.answers
                scores = answer(by, self.windows[user], self.n)
                self.answers.append(Answer(began, time.perf_counter(), user, by, scores))
            except Exception as error:  # whatever it is, it is a failed answer
                self.failures.append(repr(error))

    def wrong(self) -> int:
        """Answers that are not those of the shards that were named with them, asked again in quiet.

        Raises:
            SystemExit: two sets of shards answer alike, so that the comparison says nothing.
        """
        snapshots = {answer.by.shards: answer.by for answer in self.answers}
        quiet = {
            user: {shards: answer(by, windows, self.n) for shards, by in snapshots.items()}
            for user, windows in self.windows.items()
        }
        for known in quiet.values():
            sets = list(known.values())
            if any(equal(a, b) for i, a in enumerate(sets) for b in sets[:i]):
                raise SystemExit("the comparison says nothing: a shard changes no answer")
        return sum(not equal(each.scores, quiet[each.user][each.by.shards]) for each in self.answers)


def answer(by: ServedModel, windows: list[Window], n: int) -> NDArray[np.float64]:
    scores = by.scores(windows, n)
    return scores[~np.isnan(scores)]


def equal(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(one).all()) and np.allclose(one, other, rtol=0, atol=EQUAL)


def withdraw(model: ShardedModel, user: str, asked: tuple[str, ...]) -> dict[str, Any]:
    """Forget a user under fire: what was answered, and when. The shard is trained again after the asking."""
    with Asking(model, asked) as asking:
        time.sleep(WARM)
        called = time.perf_counter()
        selection = Selection(users=(user,))
        touched = set(model.withdraw(selection))
        returned = time.perf_counter()
        time.sleep(AFTER)
    clean = [each for each in asking.answers if touched.isdisjoint(each.by.shards)]
    stained = [each for each in asking.answers if not touched.isdisjoint(each.by.shards)]
    found = {
        "shards": sorted(touched),
        "first_without_seconds": min(each.given for each in clean) - called,
        "returned_seconds": returned - called,
        "last_with_seconds": max(each.given for each in stained) - called,
        "answers": len(asking.answers),
        "answer_seconds": float(np.median([each.given - each.asked for each in asking.answers])),
        "failed": len(asking.failures),
        "failures": sorted(set(asking.failures)),
        "wrong": asking.wrong(),
        "from_withdrawn_afterwards": sum(each.asked >= returned for each in stained),
    }
    model.erase(selection, user)
    model.train()
    return found | {"back": touched <= set(model.ensemble.hashes())}


def main(
    shards: int = 16,
    seeds: str = "1,2,3",
    users: Annotated[int, typer.Option(help="Users forgotten of each model, one after another.")] = 5,
    method: Annotated[str, typer.Option(help="As `fedrec unlearn compare` names it.")] = "strict-hash",
) -> None:
    """Forget users under fire."""
    rows = []
    for seed in map(int, seeds.split(",")):
        config = resolve(load(overrides={"seed": seed, "train.threads": 1, "train.epochs": 1}))
        dataset = load_dataset(config.data, seed)
        config = config.model_copy(update={"base": base_name(dataset, config)})
        drawn = draw(dataset, "user", users + ASKED, seed).users
        forgotten, asked = drawn[:users], drawn[users:]
        with tempfile.TemporaryDirectory() as place:
            model = ShardedModel.create(Path(place), config, method_named(method, shards), dataset)
            model.train()
            for user in forgotten:
                rows.append({"seed": seed, **withdraw(model, user, asked)})
                print({key: rows[-1][key] for key in rows[-1] if key != "failures"}, flush=True)
    slowest = max(row["first_without_seconds"] for row in rows)
    totals = {key: sum(row[key] for row in rows) for key in ("answers", "failed", "wrong", "from_withdrawn_afterwards")}
    result = {"shards": shards, "threads": THREADS, "method": method, "goal_seconds": GOAL, "slowest_seconds": slowest}
    write_result("withdrawal", {**result, **totals, "all_back": all(row["back"] for row in rows), "withdrawals": rows})
    print(f"slowest {slowest:.3f} s; {totals}")
    if slowest >= GOAL or totals["failed"] or totals["wrong"] or totals["from_withdrawn_afterwards"]:
        raise SystemExit(1)


if __name__ == "__main__":
    run_command(main)
