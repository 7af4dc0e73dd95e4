"""Titles that are written to be recommended: how far an item rises by the words of its title alone.

Some titles of the catalogue are written anew in several ways. Each becomes an item of its own, with the learnt row of
the original, and is asked about by the adapters that were published; nothing is trained. The same with two defences: a
normal spelling, and no more words than nine of ten titles have.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from fedrec.base_models.named import with_items_of
from fedrec.console.progress import working
from fedrec.data.dataset import TRAIN, Catalogue
from fedrec.models.base import load_base
from fedrec.privacy.attacks.finding import Finding, Report
from fedrec.privacy.attacks.wording import REWRITINGS, cut, longest, normalised
from fedrec.protocol.adapters import ROWS, Model, State
from fedrec.protocol.item_rows import rows_of, with_some
from fedrec.tasks import encoder_of
from fedrec.text import amount
from server.attacks.exposure import answering, place, places
from server.attacks.target import published, served
from server.simulated_run import SimulatedRun

_TARGETS = 10  # titles that are written anew, drawn by the seed
_DEFENCES = ("as written", "normal spelling", "length bound")


def wording(run: SimulatedRun) -> Report:
    """How many titles the targets stand above, as they are and as they are written anew."""
    titles, n = run.catalogue.titles, len(run.catalogue)
    targets = np.sort(np.random.default_rng(run.config.seed).permutation(n)[:_TARGETS])
    liked = titles[_most_liked(run)]
    written = [text for target in targets for text in _versions(titles, int(target), liked)]
    whole = Catalogue(
        (*run.catalogue.ids, *(f"written anew {k} {run.id}" for k in range(len(written)))), (*titles, *written)
    )
    base, config = run.client(run.clients[0]).base, run.config
    bare = load_base(base.source, revision=base.revision, device=config.train.device, precision=config.train.precision)
    longer = with_items_of(bare, config, whole)
    reads = encoder_of(config, whole, longer)
    models, each = published(run), len(written) // len(targets)
    with working(f"asking about {amount(len(targets), 'title')} written in {amount(each, 'way')}"):
        found = places(
            run,
            reads,
            lambda name: answering(
                run, longer, reads.readout, _with_versions(run, models[name], targets.tolist(), n, each)
            ),
            [*targets.tolist(), *range(n, n + len(written))],
        )
    before, after = found[:, : len(targets)], found[:, len(targets) :].reshape(len(found), len(targets), each)
    findings: list[Finding] = []
    for number, (attack, defence) in enumerate((a, d) for a in REWRITINGS for d in _DEFENCES):
        findings.append(place(f"{attack}, {defence}", after[:, :, number].mean(1), float(before.mean())))
    notes = [
        f"{amount(len(targets), 'title')}, drawn by the seed; the liked one is that which most people here like.",
        f"The length bound is {longest(titles)} words; prompt.title_tokens = {config.prompt.title_tokens} cuts anyway.",
    ]
    return Report("wording", run.name, run.result.get("adapter_hash"), findings, notes)


def _versions(titles: Sequence[str], target: int, liked: str) -> list[str]:
    """Of one title, every rewriting with every defence."""
    words, most = _words(tuple(titles)), longest(titles)
    own = titles[target].split()
    known = {word for word, count in words.items() if count > own.count(word)}
    found = []
    for rewriting in REWRITINGS.values():
        text = rewriting(titles[target], liked)
        found += [text, normalised(text, known), cut(text, most)]
    return found


@cache
def _words(titles: tuple[str, ...]) -> dict[str, int]:
    """How often each word stands in the titles."""
    found: dict[str, int] = {}
    for title in titles:
        for word in title.split():
            found[word] = found.get(word, 0) + 1
    return found


def _most_liked(run: SimulatedRun) -> int:
    total = np.zeros(len(run.catalogue))
    for name in run.clients:
        rows = run.rows_of(name)
        there = rows.split == TRAIN
        total += np.bincount(rows.item[there], 2.0 * rows.label[there] - 1, len(total))
    return int(total.argmax())


def _with_versions(run: SimulatedRun, model: Model, targets: Sequence[int], n: int, each: int) -> list[State]:
    """A model whose items that are written anew have the rows of what they were."""
    items = np.arange(n, n + each * len(targets), dtype=np.int32)
    found = []
    for state in model:
        own = served(state, run.initial)
        if ROWS in own:
            rows = rows_of(own, np.array(targets, np.int32))
            own = with_some(own, items, np.repeat(rows, each, axis=0))
        found.append(own)
    return found
