"""Which titles a client's people met: from what the client sends, and from the adapters that everybody gets.

What a client sends is that of round 1, computed again from the adapter that all begin with: no average hides it yet.
What is published is that of the last round, each client's own. Of layers alone, without item rows, a title's score is
how far they move the answer to it, asked without a history, beside how far they move the answer to any title:

    score of i = | f_i - median f |,  f_i = logit p_adapter(Yes | title i) - logit p_base(Yes | title i)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.console.progress import working
from fedrec.data.dataset import TRAIN
from fedrec.ensemble.aggregators.judged import Judged
from fedrec.ensemble.served_model import ServedModel
from fedrec.models.adapter import to_state
from fedrec.privacy.attacks.finding import Finding, Report
from fedrec.privacy.attacks.lira import confidence
from fedrec.privacy.attacks.titles import titles_found
from fedrec.protocol.adapters import ANSWERS, ITEMS_A, KNOWN, ROWS, Model, State
from fedrec.protocol.item_rows import told_of
from fedrec.text import amount
from server.attacks.target import encoder, layers_alone, published
from server.simulated_run import SimulatedRun

_MOST = 2000  # titles that are asked about; of a larger catalogue they are drawn
_STAY = "Item rows never leave a client of this run (items.share = none): what is left to read are the layers."
_SENT = "What a client sends is that of round 1, before any average; what is published is each client's own last model."


def titles(run: SimulatedRun) -> Report:
    """How well each reading finds the titles that each client trains on."""
    n = len(run.catalogue)
    met = np.stack([_met(run, name, n) for name in run.clients])
    findings: list[Finding] = []
    notes = [_SENT]
    sent: list[Model] = []
    for name in run.clients:
        with working(f"{name} sends round 1"):
            sent.append(run.client(name).replayed(1, [run.initial] * run.config.shards).adapters)
    last = published(run)
    released = [last[name] for name in run.clients]
    for read, models, beside in (
        ("answer counts beside the rows, as sent", sent, ANSWERS),
        ("item rows, as sent", sent, ITEMS_A),
        ("precisions beside the rows, to a client", released, KNOWN),
        ("item rows, as published", released, ITEMS_A),
    ):
        scores = np.stack([_told(model, beside, n) for model in models])
        if scores.any():
            findings += _findings(read, scores, met)
    if not findings:
        notes.append(_STAY if run.config.items.rank else "Items have no rows in this run (items.rank = 0).")
    chosen = np.sort(np.random.default_rng(run.config.seed).permutation(n)[:_MOST])
    if len(chosen) < n:
        notes.append(f"Layers are asked about {len(chosen)} titles of {n}, drawn by the seed.")
    for read, models in (("layers alone, as sent", sent), ("layers alone, as published", released)):
        findings += _findings(read, _moved(run, models, chosen), met[:, chosen])
    return Report("titles", run.name, run.result.get("adapter_hash"), findings, notes)


def _met(run: SimulatedRun, name: str, n: int) -> NDArray[np.bool_]:
    """(n,) which titles a client trains on."""
    rows = run.rows_of(name)
    return np.bincount(rows.item[rows.split == TRAIN], minlength=n) > 0


def _told(model: Model, beside: str, n: int) -> NDArray[np.float64]:
    """(n,) over a model's shards, of each title: how long its row is, or the number that stands beside it."""
    items, total = np.arange(n, dtype=np.int32), np.zeros(n)
    for state in model:
        if beside in state and ROWS in state:
            values = state[beside]
            told: Any = np.linalg.norm(values, axis=1) if values.ndim == 2 else values
            total += told_of(items, state[ROWS].astype(np.int32), np.asarray(told, np.float32))
    return total


def _moved(run: SimulatedRun, models: list[Model], chosen: NDArray[np.intp]) -> NDArray[np.float64]:
    """(K, m) how far the layers of each model move the answers to some titles, more than to any."""
    before = _asked(run, {}, chosen)
    scores = np.zeros((len(models), len(chosen)))
    for k, model in enumerate(models):
        with working(f"asking about {amount(len(chosen), 'title')}"):
            for state in model:
                moved = _asked(run, layers_alone(state, run.initial), chosen) - before
                scores[k] += np.abs(moved - np.median(moved))
    return scores


def _asked(run: SimulatedRun, state: Mapping[str, Any] | State, chosen: NDArray[np.intp]) -> NDArray[np.float64]:
    """(m,) log-odds of Yes to some titles without a history."""
    reads, base = encoder(run), run.client(run.clients[0]).base
    adapters = {0: to_state(state)} if state else {}
    answers = ServedModel(base, run.config, reads.readout, adapters, Judged.nobody(run.config.shards))
    try:
        found = answers.candidates(reads.past_of([], []), [reads.question(item) for item in chosen.tolist()])
    finally:
        answers.close()
    return confidence(np.log(found))


def _findings(read: str, scores: NDArray[np.float64], met: NDArray[np.bool_]) -> list[Finding]:
    found = titles_found(scores, met)
    return [
        Finding(read, "AUC", found.auc, found.auc_low, found.auc_high, 0.5),
        Finding(read, "precision", found.precision, found.precision_low, found.precision_high, found.met),
    ]
