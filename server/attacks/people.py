"""Membership inference: whose rows an adapter was trained on, of released adapters and of single clients' updates.

Updates: K models of a client's round 1, each taught by half of its people, so that those who are in and those who are
not differ by a coin alone. A person's score is the mean over their rows of the log-likelihood (by a threshold), or of
its likelihood ratio by the other models (`fedrec.privacy.attacks.lira`).

Released: an adapter of the last round, of each shard. With several shards, people of the shard against those of the
others, who are drawn alike; with one, what each person was trained on against their later rows, which taught nobody but
are of another time. A row's score is its log-likelihood beside that by the base alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedrec.console.progress import working
from fedrec.data.dataset import TEST, TRAIN, Interactions
from fedrec.models.adapter import to_state
from fedrec.privacy.attacks.finding import Finding, Report
from fedrec.privacy.attacks.lira import confidence, halves, in_turn
from fedrec.privacy.attacks.membership import FALSE_POSITIVES, Attack, attack
from server.attacks.repeated import Repeated
from server.attacks.target import published, served
from server.simulated_run import SimulatedRun

_MOST = 300  # people of a client who are asked about; of more they are drawn
_CLIENTS = 20  # whose released adapters are attacked, the first ones
_LATER = (
    "Released, with one shard: rows that were trained on against later rows of the same people, who may have changed; "
    "an AUC beside 0.5 is not membership alone."
)


def people(run: SimulatedRun, client: str, models: int) -> Report:
    """
    Args:
        client: whose updates are attacked.
        models: of its round 1, an even number of at least 4.
    """
    notes = [f"Updates are of {client}: {models} of its round 1, each with half of its people."]
    if run.config.shards == 1:
        notes.append(_LATER)
    findings = [*_updates(run, client, models), *_released(run)]
    return Report("people", run.name, run.result.get("adapter_hash"), findings, notes)


def _updates(run: SimulatedRun, client: str, models: int) -> list[Finding]:
    game = Repeated(run, client, 1)
    rows = _some(game.rows, run.config.seed)
    trained = rows.split == TRAIN
    who, place = np.unique(rows.user[trained], return_inverse=True)
    inside = halves(len(who), models, run.config.seed)
    taught = np.zeros((models, len(rows)), bool)
    taught[:, trained] = inside[:, place]
    said = game.answers(rows, taught, trained)[:, trained]
    found = []
    for read, scores in (
        ("updates, by a threshold", _means(said, place)),
        ("updates, by a likelihood ratio", in_turn(_means(confidence(said), place), inside)),
    ):
        numbers = np.broadcast_to(np.arange(len(who)), inside.shape)
        found += _findings(
            read, attack(scores[inside], scores[~inside], (numbers[inside], numbers[~inside]), FALSE_POSITIVES)
        )
    return found


def _released(run: SimulatedRun) -> list[Finding]:
    models, parts = published(run), []
    for name in run.clients[:_CLIENTS]:
        with working(f"asking the adapters of {name}"):
            parts += _of_client(run, name, models[name])
    inside = np.concatenate([members for _, members, _ in parts])
    scores, whose = (np.concatenate([part[at] for part in parts]) for at in (0, 2))
    found = attack(scores[inside], scores[~inside], (whose[inside], whose[~inside]), FALSE_POSITIVES)
    return _findings("released adapters", found)


def _of_client(run: SimulatedRun, name: str, model: list[Any]) -> list[tuple[Any, Any, Any]]:
    """Of each adapter: (m,) scores of people, or of a person's halves in time; whether they taught it; whose."""
    game = Repeated(run, name, 1)
    rows = _some(run.rows_of(name), run.config.seed)
    asked = (rows.split == TRAIN) | ((rows.split == TEST) & (len(model) == 1))
    units = 2 * rows.user[asked] + (rows.split[asked] == TEST)
    known, place = np.unique(units, return_inverse=True)
    before, home = game.said(None, rows, asked)[asked], run.shard_of(rows.user_ids)
    parts = []
    for shard, state in enumerate(model):
        said = game.said(to_state(served(state, run.initial)), rows, asked)[asked]
        member = known % 2 == 0 if len(model) == 1 else home[known // 2] == shard
        people = np.array([f"{name} {user}" for user in known // 2])
        parts.append((_means((said - before)[None], place)[0], member, people))
    return parts


def _some(rows: Interactions, seed: int) -> Interactions:
    """The rows of so many people at most."""
    people = np.unique(rows.user)
    chosen = np.random.default_rng(seed).permutation(people)[:_MOST]
    return rows.take(np.isin(rows.user, chosen))


def _means(values: NDArray[np.float64], place: NDArray[np.intp]) -> NDArray[np.float64]:
    """(K, m) the mean of each unit's values (K, n)."""
    counts = np.bincount(place)
    return np.stack([np.bincount(place, each) / counts for each in values])


def _findings(read: str, found: Attack) -> list[Finding]:
    return [
        Finding(read, "AUC", found.auc, found.auc_low, found.auc_high, 0.5),
        Finding(read, "TPR at 1 % FPR", found.tpr, found.tpr_low, found.tpr_high, FALSE_POSITIVES),
    ]
