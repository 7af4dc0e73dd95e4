"""`recommend` over a whole catalogue: the history computed once, against every prompt scored alone.

    recommend     what `fedrec recommend` computes, adapters and catalogue read from disk      ServedModel.candidates
    shared        its scoring alone: one history, many candidates                              score_candidates
    batched       each candidate's whole prompt, as many in a batch as scoring ever takes      score_windows
    one by one    each candidate's whole prompt by itself

Each repetition, in alternating order, takes another user, and another part of the catalogue for the prompts alone, so
that all items have been compared in the end; seconds are per candidate. A ratio is the median of the ratios within a
repetition.

    python -m experiments.recommend_speed
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from clients.client_run import ClientRun
from experiments.common import portable, run_command, write_result
from fedrec.config import load
from fedrec.data.prompts import Window
from fedrec.files import write_json
from fedrec.models.adapter_bank import AdapterBank, Mixed, Routed
from fedrec.models.base import load_base
from fedrec.scoring import score_candidates, score_windows
from fedrec.tasks import encoder_of
from server.launch import simulate
from server.prepare import prepare
from server.simulated_run import SimulatedRun

Scores = NDArray[np.float64]
SINGLES = 50  # prompts scored one by one in a repetition
FULL = 20  # rows a user must have


@dataclass(frozen=True)
class Person:
    """A user's client and history."""

    client: ClientRun
    user: str
    items: list[int]
    labels: list[int]


def people(run: SimulatedRun, count: int) -> list[Person]:
    """So many users of the first client with a history worth the name, the longest first."""
    client = run.client(run.clients[0])
    rows = client.interactions()
    lengths = np.bincount(rows.user, minlength=len(rows.user_ids))
    found = [user for user in np.argsort(-lengths, kind="stable").tolist() if lengths[user] >= FULL][:count]
    mine = [rows.user == user for user in found]
    return [
        Person(client, rows.user_ids[user], rows.item[own].tolist(), rows.label[own].tolist())
        for user, own in zip(found, mine, strict=True)
    ]


def timed(compute: Callable[[], Scores]) -> tuple[float, Scores]:
    began = perf_counter()
    scores = compute()
    return perf_counter() - began, scores


def repetition(run: SimulatedRun, person: Person, part: slice, backwards: bool) -> dict[str, Any]:
    """Seconds per candidate of each way, and the largest differences of their scores."""
    config = run.config
    base = load_base(str(config.base), device=config.train.device, precision=config.train.precision)
    encoder = encoder_of(run.config, run.catalogue, base)
    catalogue = list(range(len(run.catalogue)))
    past = encoder.past_of(person.items, person.labels)
    questions = [encoder.question(item) for item in catalogue]
    prompts = [np.array(past + question) for question in questions]
    windows = [Window(ids, np.array([len(ids) - 1]), np.array([item])) for item, ids in enumerate(prompts)]
    chosen = catalogue[part]
    singles = chosen[:: max(1, len(chosen) // SINGLES)][:SINGLES]

    shards = list(person.client.ensemble.adapters().values())
    with AdapterBank(base.model, config.lora, width=len(shards)) as bank:
        for shard, state in enumerate(shards):
            bank.load(shard, state)
        bank.eval()
        routing = Routed(0) if len(shards) == 1 else Mixed(torch.full((len(shards),), 1 / len(shards)))
        how: dict[str, Any] = {"bank": bank, "routing": routing, "precision": config.train.precision}
        readout = encoder.readout

        def batched() -> Scores:
            return score_windows(base.model, [windows[i] for i in chosen], readout, len(catalogue), **how)

        def one_by_one() -> Scores:
            scores = np.full(len(catalogue), np.nan)
            for i in singles:
                scores[i] = score_windows(base.model, [windows[i]], readout, len(catalogue), **how)[i]
            return scores

        def shared() -> Scores:
            return score_candidates(base.model, past, questions, readout, **how)

        def recommend() -> Scores:
            answers = person.client.ensemble.answers(config, person.client.base, encoder)
            try:
                return answers.candidates(past, questions)
            finally:
                answers.close()

        ways = {"recommend": recommend, "shared": shared, "batched": batched, "one by one": one_by_one}
        timings = {name: timed(ways[name]) for name in (reversed(ways) if backwards else ways)}
    scores = {name: found for name, (_, found) in timings.items()}
    return {
        "user": person.user,
        "history_tokens": len(past),
        "seconds_per_candidate": {name: timings[name][0] / int(np.isfinite(scores[name]).sum()) for name in ways},
        "largest_difference": {
            name: float(np.nanmax(np.abs(scores[name] - scores["recommend"]))) for name in ways if name != "recommend"
        },
        "compared": len(chosen),
    }


def compare(run: SimulatedRun, repeats: int) -> dict[str, Any]:
    rows = [
        repetition(run, person, slice(part, None, repeats), part % 2 == 1)
        for part, person in enumerate(people(run, repeats))
    ]

    def faster(way: str, than: str) -> float:
        return median(row["seconds_per_candidate"][than] / row["seconds_per_candidate"][way] for row in rows)

    return {
        "times_faster": {
            way: {than: faster(way, than) for than in ("batched", "one by one")} for way in ("recommend", "shared")
        },
        "largest_difference": max(max(row["largest_difference"].values()) for row in rows),
        "recommend_seconds": median(row["seconds_per_candidate"]["recommend"] for row in rows) * len(run.catalogue),
        "compared": sum(row["compared"] for row in rows),
        "repetitions": rows,
    }


def in_precision(run: SimulatedRun, precision: str, folder: Path) -> SimulatedRun:
    """A copy of the run that computes in this precision."""
    shutil.copytree(run.folder, folder)
    train = run.config.train.model_copy(update={"precision": precision})
    write_json(folder / "config.json", run.config.model_copy(update={"train": train}).model_dump(mode="json"))
    return SimulatedRun(folder)


def main(
    base: Annotated[str | None, typer.Option(help="Base model; none = the embedded one.")] = None,
    data: Annotated[str | None, typer.Option(help="Data set; none = a generated world.")] = None,
    items: Annotated[int, typer.Option(help="Films in the generated world.")] = 1682,
    repeats: Annotated[int, typer.Option(help="Users, and parts of the catalogue.")] = 3,
    set_: Annotated[list[str] | None, typer.Option("--set", help="section.key=value of the configuration.")] = None,
) -> None:
    """Train a little, then measure both ways in fp32 and bf16."""
    named = {"base": base, "data.path": data}
    overrides = {
        "data.world.items": items, "data.world.users": 40, "clients.count": 2, "federation.rounds": 1,
        **{key: value for key, value in named.items() if value is not None},
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run = prepare(load(None, overrides, tuple(set_ or ())), Path(folder) / "run")
        simulate(run)
        found = {p: compare(in_precision(run, p, Path(folder) / p), repeats) for p in ("fp32", "bf16")}
        write_result("recommend_speed", {
            "items": len(run.catalogue), **found, "config": portable(run.config)
        })  # fmt: skip
    for precision, result in found.items():
        times = {way: round(times, 1) for way, times in result["times_faster"]["recommend"].items()}
        print(f"{precision}: recommend is {times} times faster; largest difference {result['largest_difference']:.1e}")


if __name__ == "__main__":
    run_command(main)
