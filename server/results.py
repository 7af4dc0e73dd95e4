"""From the clients' metrics to the run's result."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from fedrec.files import write_json
from fedrec.metrics import measure
from fedrec.protocol.answers import EvaluateAnswer
from fedrec.protocol.record import BadMessage
from fedrec.store import Run

_ERASED = "rows were erased after training: what rounds before the last had measured on them is left out"
_HIGHEST = {"auc": 1.0, "uauc": 1.0, "logloss": 100.0}


def checked(answer: EvaluateAnswer, number: int, groups: Collection[str]) -> dict[str, dict[str, float]]:
    """The metrics of each group of rows that a client was asked for.

    Args:
        groups: those the client may speak for.

    Raises:
        BadMessage: another round's, another client's, or not what was asked.
    """
    if answer.round != number:
        raise BadMessage(f"it answers another round than {number}")
    found: dict[str, dict[str, float]] = {}
    for group in groups:
        measures = answer.metrics.get(group)
        if measures is None or not 0 <= measures.examples < 2**48:
            raise BadMessage(f"{group}/examples is no number of rows")
        found[group] = dict(measures)
        for name, highest in _HIGHEST.items():
            value = found[group][name]
            if not (math.isnan(value) or 0 <= value <= highest):
                raise BadMessage(f"{group}/{name} is no number within 0 and {highest:g}")
    return found


def overall(run: Run, number: int, clients: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Metrics over all clients: pooled over all test rows where this machine holds them, and over the clients' AUCs."""
    aucs = np.array([client["auc"] for client in clients], float)
    aucs = aucs[~np.isnan(aucs)]
    spread = {"mean_auc": aucs.mean(), "worst_auc": aucs.min(), "std_auc": aucs.std()} if len(aucs) else {}
    pooled = {"examples": int(sum(client["examples"] for client in clients))}
    kept = [run.client(name).scores() for name in run.clients]
    if all(scores is not None and int(scores["round"]) == number for scores in kept) and kept:
        scores, labels, users = (np.concatenate([k[name] for k in kept if k]) for name in ("scores", "labels", "users"))
        pooled = measure(scores, labels, np.unique(users, return_inverse=True)[1].astype(np.int32)).as_dict()  # type: ignore[assignment]
    return {**pooled, **{key: float(value) for key, value in spread.items()}}


def write_result(run: Run) -> dict[str, Any]:
    """The run's result.json from its rounds and its baselines' results."""
    history, reference, config = run.rounds.history(), run.reference, run.config
    last = history[-1]
    facts = {fact["id"]: fact for fact in reference["clients"]}
    result = {
        "run": run.name,
        "strategy": config.strategy,
        "rounds": last["round"],
        "shards": config.shards,
        "seed": config.seed,
        "data": reference["data"],
        "base": reference["base"],
        "clients": [{**facts.get(client["id"], {}), **client} for client in last["clients"]],
        "overall": last["overall"],
        "measured": last["share"],
        "trivial": reference["trivial"],
        "best_possible_auc": reference["best_possible_auc"],
        "history": history,
        "bytes_up": sum(entry["bytes_up"] for entry in history),
        "bytes_down": sum(entry["bytes_down"] for entry in history),
        "seconds": sum(entry["seconds"] for entry in history),
        "adapter_hash": last["adapter_hash"],
        "config": config.model_dump(mode="json"),
        "notes": [*reference["notes"], *([_ERASED] if not history[0]["overall"] else [])],
        "baselines": [write_result(baseline) for baseline in run.baselines if baseline.rounds.last() is not None],
    }
    write_json(run.folder / "result.json", result)
    return result
