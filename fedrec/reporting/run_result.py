"""What a run's `result.json` says, and the numbers derived from it. Pure functions on plain data.

A result is one JSON document (a nested dict). A metric that could not be measured is NaN, None or left out there;
`complete` makes all three None, and everything else here reads completed results.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from fedrec.files import finite
from fedrec.reporting.formatting import labels

Result = dict[str, Any]

MAX_CLIENTS = 40  # more than this cannot be told apart on a page or a terminal
RANKED = ("auc", "uauc", "uauc_at_split")  # what has a margin, half the width of its 95 % interval over people
METRICS = (
    "examples", "mean_auc", "worst_auc", "std_auc", "logloss", *RANKED, *(f"{name}_margin" for name in RANKED)
)  # fmt: skip
CLIENT_FACTS = ("users", "train_rows")
TRIVIAL = {
    "item": "title's like-rate",
    "user": "user's recent like-rate",
    "sum": "sum of the two",
    "counts": "regression on counts",
    "effects": "titles' effects",
}
TRIVIAL_RANKED = {"auc": "trivial", "uauc": "trivial_uauc", "uauc_at_split": "trivial_uauc_at_split"}
"""Where a result has the trivial scorers' metrics."""


def complete(result: Result) -> Result:
    """The result, its rounds and its baselines with every metric there, None where it is unknown."""
    known: Result = {"best_possible_uauc": None, **{key: {} for key in TRIVIAL_RANKED.values()}, **finite(result)}
    known["overall"] = _all_metrics(known["overall"])
    known["clients"] = [{**dict.fromkeys(CLIENT_FACTS), **_all_metrics(client)} for client in known["clients"]]
    known["history"] = [complete_round(entry) for entry in known["history"]]
    known["baselines"] = [complete(baseline) for baseline in known.get("baselines", [])]
    return known


def alike(result: Result) -> Result:
    """The result completed, without what a run's folder is called, so that those of one run's copies are equal."""
    known = complete(result)
    return {**known, "run": None, "baselines": [{**baseline, "run": None} for baseline in known["baselines"]]}


def digest(result: Result) -> str:
    """SHA-256 of a result, as its page has it: without its baselines and what its folder is called."""
    content = {**alike(result), "baselines": []}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def complete_round(entry: Result) -> Result:
    """The same for one round of the history."""
    known: Result = finite(entry)
    clients = [_all_metrics(client) for client in known["clients"]]
    return {**known, "overall": _all_metrics(known["overall"]), "clients": clients}


def _all_metrics(overall: Result) -> Result:
    return {**dict.fromkeys(METRICS), **overall}


def share_of_possible(result: Result) -> float | None:
    """(AUC - 0.5) / (best possible AUC - 0.5), pooled over all test rows; None where either is unknown."""
    auc, best = result["overall"]["auc"], result.get("best_possible_auc")
    return None if auc is None or best is None or best <= 0.5 else (auc - 0.5) / (best - 0.5)


def beats(result: Result) -> list[str]:
    """The trivial scorers whose pooled AUC is below the run's."""
    auc = result["overall"]["auc"]
    return [name for name, value in result["trivial"].items() if auc is not None and value is not None and value < auc]


def doubts(result: Result) -> list[str]:
    """Why the model may not be worth using, a sentence each: scorers without a model, or less training, do better.

    Of a completed result; nothing where its AUC is unknown.
    """
    auc = result["overall"]["auc"]
    if auc is None:
        return []
    found = []
    for key, called in (("auc", "AUC"), ("uauc_at_split", "UAUC at the split")):
        mine, others = result["overall"].get(key), result.get(TRIVIAL_RANKED[key]) or {}
        above = {name: value for name, value in others.items() if None not in (mine, value) and value > mine}
        if above:
            best = max(above, key=lambda name: above[name])
            name = TRIVIAL.get(best, best)
            said = f"{called} {mine:.3f} is below {above[best]:.3f}"
            found.append(f"{said}, which the {name} has on the same rows without a model")
    earlier = {entry["round"]: entry["overall"]["auc"] for entry in result["history"][:-1]}
    worse = {
        when: value
        for round_, when in ((0, "of the model before any training"), (1, "after round 1"))
        if (value := earlier.get(round_)) is not None and value > auc
    }
    if worse:
        when = max(worse, key=lambda when: worse[when])
        found.append(f"AUC {auc:.3f} after the last round is below the {worse[when]:.3f} {when}")
    return found


def start(result: Result) -> Result:
    """The measurement before the first round: `{"clients": …, "overall": …}`, unknown where the run has none."""
    return result["history"][0] if result["history"] else {"clients": [], "overall": _all_metrics({})}


def by_client(measurement: Result, metric: str) -> dict[str, float | None]:
    """One metric of each client of a result or of one round."""
    return {client["id"]: client[metric] for client in measurement["clients"]}


def shown_clients(result: Result) -> list[Result]:
    """The clients that a figure or table shows, in their order: all, or the MAX_CLIENTS with the lowest AUC."""
    clients: list[Result] = result["clients"]
    by_auc = sorted(range(len(clients)), key=lambda k: (clients[k]["auc"] is None, clients[k]["auc"]))
    return [clients[k] for k in sorted(by_auc[:MAX_CLIENTS])]


def hidden_clients(result: Result) -> set[str]:
    """The ids of the clients that `shown_clients` leaves out."""
    return {client["id"] for client in result["clients"]} - {client["id"] for client in shown_clients(result)}


def last_with(result: Result, key: str) -> Result | None:
    """The last round that recorded `key`, for example the similarities; None where no round did."""
    return next((entry for entry in reversed(result["history"]) if entry.get(key)), None)


def contenders(result: Result) -> list[tuple[str, Result]]:
    """The run and its baselines with distinct names: the strategy, and the run where a strategy occurs twice."""
    runs = [result, *result["baselines"]]
    names = [run["strategy"] for run in runs]
    named = [f"{name} ({run['run']})" if names.count(name) > 1 else name for name, run in zip(names, runs, strict=True)]
    return list(zip(labels(named, 32), runs, strict=True))


def beside(first: Result, others: Iterable[Result]) -> Result:
    """`first` with the other runs added to its baselines (their own baselines left out)."""
    return {**first, "baselines": [*first.get("baselines", []), *({**other, "baselines": []} for other in others)]}
