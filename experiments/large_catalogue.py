"""`recommend` over 100,000 titles: seconds after loading, and how its shortlist agrees with reading all in full.

A run's catalogue is widened by made-up titles, the first half of one film's title and the second of another's, which
nobody has met. For each person all unseen titles are read in full once, and ranked in stages as `recommend` does
(`fedrec.ensemble.shortlist`); agreement is the part of the best 10 and 100 that is among those the stages find.

    python -m experiments.large_catalogue --run runs/movietweetings
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean, median
from typing import Annotated, Any

import numpy as np
import typer

from experiments.common import portable, run_command, write_result
from fedrec.base_models.named import with_items_of
from fedrec.data.dataset import Catalogue, Interactions
from fedrec.data.prompts import PromptEncoder
from fedrec.ensemble.aggregators.judged import Judged
from fedrec.ensemble.ranking import Ranking, best_unseen
from fedrec.ensemble.served_model import ServedModel
from fedrec.ensemble.shortlist import Stages
from fedrec.hardware import threads
from fedrec.models.base import load_base
from fedrec.parallel.worker_count import cores
from fedrec.tasks import encoder_of
from server.simulated_run import SimulatedRun, open_run

TOPS = (10, 100)
SEEN = 20  # rows a person must have


def widened(catalogue: Catalogue, count: int, seed: int = 1) -> Catalogue:
    """The catalogue with made-up titles behind its own."""
    halves = [title.split() for title in catalogue.titles if len(title.split()) > 1]
    random, titles = np.random.default_rng(seed), list(catalogue.titles)
    for first, second in random.integers(len(halves), size=(max(0, count - len(titles)), 2)):
        one, other = halves[first], halves[second]
        titles.append(" ".join(one[: len(one) // 2] + other[len(other) // 2 :]))
    return Catalogue((*catalogue.ids, *(f"made-up-{i}" for i in range(len(titles) - len(catalogue)))), tuple(titles))


def loaded(run: SimulatedRun, client: str, catalogue: Catalogue) -> tuple[ServedModel, PromptEncoder]:
    """What the client answers with over that catalogue, its new items as nobody has met them; shards count equally."""
    base = with_items_of(load_base(str(run.config.base)), run.config, catalogue)
    encoder = encoder_of(run.config, catalogue, base)
    adapters = run.client(client).ensemble.adapters()
    return ServedModel(base, run.config, encoder.readout, adapters, Judged.nobody(run.config.shards)), encoder


def people(rows: Interactions, count: int) -> Iterator[str]:
    """Users with a history worth the name, from the longest to the shortest."""
    lengths = np.bincount(rows.user, minlength=len(rows.user_ids))
    able = [user for user in np.argsort(-lengths, kind="stable").tolist() if lengths[user] >= SEEN]
    yield from (rows.user_ids[able[place]] for place in np.linspace(0, len(able) - 1, count).astype(int))


def timed(*ranked: Any) -> tuple[Ranking, dict[str, float]]:
    wall, busy = time.perf_counter(), time.process_time()
    found = best_unseen(*ranked)
    return found, {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - busy}


def main(
    folder: Annotated[Path, typer.Option("--run", help="A run whose items have tokens.")],
    titles: Annotated[int, typer.Option(help="In the widened catalogue.")] = 100_000,
    count: Annotated[int, typer.Option("--people", help="Who are recommended to.")] = 3,
    repeats: Annotated[int, typer.Option(help="Of the stages; the quickest counts.")] = 5,
) -> None:
    """Recommend in stages and from every title."""
    run = open_run(folder)
    client = run.config.strategy if run.pools else run.clients[0]
    catalogue, rows = widened(run.catalogue, titles), run.rows_of(client)
    with threads(cores()):
        began = time.perf_counter()
        answers, encoder = loaded(run, client, catalogue)
        loading = time.perf_counter() - began
        found = []
        for user in people(rows, count):
            asked = (answers, encoder, catalogue, rows, user, max(TOPS))
            runs = [timed(*asked) for _ in range(repeats)]
            staged, quickest = runs[0][0], min((spent for _, spent in runs), key=lambda spent: spent["seconds"])
            whole, full = timed(*asked, replace(Stages(), whole=len(catalogue)))
            items = {one.item for one in staged}
            agreement = {str(top): mean(one.item in items for one in whole[:top]) for top in TOPS}
            row = {"rows": int((rows.user == rows.user_ids.index(user)).sum()), "staged": quickest, "in_full": full}
            found.append({**row, "agreement": agreement})
            print(found[-1], flush=True)
    answers.close()
    write_result("large_catalogue", {
        "titles": len(catalogue), "own_titles": len(run.catalogue), "read_in_full": staged.read_in_full,
        "threads": cores(), "loading_seconds": loading,
        "staged_seconds": median(row["staged"]["seconds"] for row in found),
        "staged_cpu_seconds": median(row["staged"]["cpu_seconds"] for row in found),
        "in_full_seconds": median(row["in_full"]["seconds"] for row in found),
        "agreement": {str(top): mean(row["agreement"][str(top)] for row in found) for top in TOPS},
        "people": found, "config": portable(run.config),
    })  # fmt: skip


if __name__ == "__main__":
    run_command(main)
