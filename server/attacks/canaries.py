"""Epsilon from below: a client is trained again and again with made-up people in it or not, and they are looked for.

Each training has all the client's own people, and of the canaries those that a fair coin of their own puts in. A
canary's score is the log-likelihood of its answers by the trained adapter, beside the mean over all trainings, which
knows nothing of the coins. A differentially private training of epsilon lets nobody tell them better than that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import TRAIN
from fedrec.privacy.attacks.canaries import ROWS, proved, proved_by_rates, with_canaries
from fedrec.privacy.attacks.finding import Finding, Report
from fedrec.privacy.attacks.membership import FALSE_POSITIVES, attack
from server.attacks.repeated import Repeated, stated_epsilon
from server.simulated_run import SimulatedRun


def canaries(run: SimulatedRun, client: str, models: int, count: int, delta: float | None) -> Report:
    """
    Args:
        client: who is trained again, as long as the run trains it.
        models: how often; count: of canaries.
        delta: at which epsilon is bounded; None = the run's, or 1e-5.
    """
    game = Repeated(run, client, max(1, run.config.federation.rounds))
    seed = run.config.seed
    privacy = game.config.privacy
    delta = privacy.delta if delta is None else delta
    answers = 1 if privacy.unit == "row" else ROWS
    rows, canary = with_canaries(game.rows, len(run.catalogue), count, seed, answers)
    inside = np.random.default_rng((seed, 1)).random((models, count)) < 0.5
    asked = canary >= 0
    taught = np.ones((models, len(rows)), bool) & (rows.split == TRAIN)
    taught[:, asked] = inside[:, canary[asked]]
    said = game.answers(rows, taught, asked)[:, asked]
    scores = np.stack([np.bincount(canary[asked], each) for each in said]) / np.bincount(canary[asked])
    scores -= scores.mean(0)
    findings = _findings(scores, inside, delta)
    stated = stated_epsilon(game, delta)
    notes = [
        f"{models} trainings of {client} with {count} canaries of {answers} answers, each in half of them by a coin.",
        "Both bounds hold at 95 %, and the second takes canaries of one training for independent.",
        _verdict(stated, findings[2].value, privacy.unit),
    ]
    if stated is not None:
        findings.append(Finding("what the accountant states", findings[2].measure, stated, stated, stated))
    return Report("canaries", run.name, run.result.get("adapter_hash"), findings, notes)


def _findings(scores: NDArray[np.float64], inside: NDArray[np.bool_], delta: float) -> list[Finding]:
    whose = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    found = attack(scores[inside], scores[~inside], (whose[inside], whose[~inside]))
    strict, usual = proved(scores, inside, delta), proved_by_rates(scores, inside, delta)
    measure = f"epsilon, delta {delta:g}"
    return [
        Finding("canaries' answers", "AUC", found.auc, found.auc_low, found.auc_high, 0.5),
        Finding("canaries' answers", "TPR at 1 % FPR", found.tpr, found.tpr_low, found.tpr_high, FALSE_POSITIVES),
        Finding("at least, by guesses about all trainings", measure, strict, strict, strict),
        Finding("at least, by rates (Clopper-Pearson)", measure, usual, usual, usual),
    ]


def _verdict(stated: float | None, proved_: float, unit: str) -> str:
    if unit == "client":
        return "What the run promises is of clients' parts in their mean; this is of what one of them sends, unnoised."
    if stated is None:
        return "The run promises nothing (privacy.unit = none)."
    return f"What is stated {'is REFUTED' if proved_ > stated else 'stands: nothing found refutes it'}."
