"""From the clients' metrics to the run's result."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fedrec.config import RunConfig
from fedrec.files import write_json
from fedrec.intervals import pooled_mean_margin
from fedrec.protocol.answers import EvaluateAnswer
from fedrec.protocol.record import BadMessage
from fedrec.tasks import task_of
from fedrec.tasks.like import Like
from fedrec.tasks.task import Task
from server.run import Run
from server.spent import promise

_ITEM_ROWS = (
    "item rows that clients send tell the server which titles their people met, how often and how they liked them; "
    "items.share = none keeps them"
)
_NO_INTERVAL = "no interval of that AUC: of two clients each would hear the other's counts, and of more all must answer"
_ERASED = (
    "rows were erased after training: what rounds before the last had measured on them is left out, and bytes sent"
)


def checked(answer: EvaluateAnswer, number: int, groups: Collection[str], task: Task) -> dict[str, dict[str, float]]:
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
        if not 0 <= measures.ranked <= measures.examples:
            raise BadMessage(f"{group}/ranked is no number of people with such rows")
        said = dict(measures)
        for name, metric in task.metrics.items():
            if not (math.isnan(value := said.get(name, math.inf)) or 0 <= value <= metric.highest):
                raise BadMessage(f"{group}/{name} is no number within 0 and {metric.highest:g}")
        found[group] = {name: said[name] for name in ("examples", *task.metrics, "ranked")}
        found[group] |= {f"{name}_margin": _margin(said, group, name, task) for name in _of_people(task)}
    rows = sum(int(measures["examples"]) for measures in found.values())
    if answer.scores is not None and len(answer.scores) != rows:
        raise BadMessage(f"it tells scores of {len(answer.scores)} rows, and metrics of {rows}")
    if len(found) == 1:
        _check_scores(answer, next(iter(found.values())), task)
    return found


def _of_people(task: Task) -> list[str]:
    """The metrics that are means of people's."""
    return [name for name, metric in task.metrics.items() if metric.over == "ranked"]


def _margin(said: Mapping[str, float], group: str, name: str, task: Task) -> float:
    """What a client says of how far its people differ in a metric; BadMessage where that cannot be."""
    value = said.get(f"{name}_margin", math.nan)
    if not (math.isnan(value) or 0 <= value <= task.metrics[name].highest):  # of two people at 0 and 1 it is 0.98
        raise BadMessage(f"{group}/{name}_margin is no number within 0 and {task.metrics[name].highest:g}")
    return value


def _check_scores(answer: EvaluateAnswer, metrics: Mapping[str, float], task: Task) -> None:
    """BadMessage where the scores that it tells do not give the metrics that it tells."""
    follows = task.pool([answer.scores])
    for name in (each for each in task.metrics if each in follows):
        value, told, error = follows[name], metrics[name], follows.get(f"{name}_error", 0.0)
        if math.isnan(told) != math.isnan(value) or abs(told - value) > error + 1e-6:
            raise BadMessage(f"its scores give {name} {value:.4g}, and it says {told:.4g}")


def overall(
    answers: Mapping[str, EvaluateAnswer], clients: Sequence[Mapping[str, Any]], task: Task
) -> dict[str, float]:
    """Metrics over all rows, as far as the clients' answers tell, and the spread of the clients' main one.

    Args:
        answers: of all clients; none where one of them did not answer.
        clients: the metrics of each group of rows.
    """
    main, worst = task.main, np.min if task.metrics[task.main].rising else np.max
    values = np.array([client[main] for client in clients], float)
    values = values[~np.isnan(values)]
    spread = {}
    if len(values):
        spread = {f"mean_{main}": values.mean(), f"worst_{main}": worst(values), f"std_{main}": values.std()}
    weighted = {name: _mean(clients, name, metric.over) for name, metric in task.metrics.items() if metric.over}
    told = [answer.scores for answer in answers.values()]
    weighted |= {f"{name}_margin": _mean_margin(clients, name) for name in _of_people(task)}
    pooled = weighted | task.pool(told) | task.margins(told) if answers else {}
    return {
        "examples": int(sum(client["examples"] for client in clients)),
        **pooled,
        **{key: float(value) for key, value in spread.items()},
    }


def _mean(clients: Sequence[Mapping[str, Any]], metric: str, weight: str) -> float:
    """Over all clients' rows or people; who has rows at several clients counts at each."""
    parts = [(client[metric], client[weight]) for client in clients if client[weight]]
    total = sum(weight for _, weight in parts)
    return math.fsum(value * weight for value, weight in parts) / total if total else float("nan")


def _mean_margin(clients: Sequence[Mapping[str, Any]], metric: str) -> float:
    """Of the mean over all clients' people."""
    return pooled_mean_margin([(each["ranked"], each[metric], each[f"{metric}_margin"]) for each in clients])


def _how_far_known(overall: Mapping[str, float]) -> list[str]:
    """A line where what the clients tell of their scores does not give the exact AUC over all rows."""
    if "auc_error" in overall:
        errors = f"AUC within {overall['auc_error']:.2g}, LogLoss within {overall['logloss_error']:.2g}"
        lines = [f"over all rows from the clients' histograms of scores: {errors}"]
        return lines if "auc_margin" in overall else [*lines, _NO_INTERVAL]
    if "uauc" in overall and "auc" not in overall:
        return ["the AUC over all rows is not known: a client tells its metrics only (evaluate.sharing, its policy)"]
    return []


def hash_of(served: Mapping[str, str]) -> str:
    """SHA-256 over the clients' names and the models they say they serve."""
    return hashlib.sha256("\n".join(f"{c} {served[c]}" for c in sorted(served)).encode()).hexdigest()


def _not_of_likes(config: RunConfig, overall: Mapping[str, float]) -> list[str]:
    """A line with the metrics that the page and the terminal have no place for."""
    names = [name for name in task_of(config).metrics if name in overall and name not in Like.metrics]
    others = ", ".join(f"{name} {overall[name]:.4f}" for name in names)
    return [f"task {config.task}, over all rows: {others}"] if others else []


def write_result(run: Run) -> dict[str, Any]:
    """The run's result.json from its rounds and its baselines' results, and theirs."""
    result = result_of(run)
    for folder, content in results_of(run, result).items():
        write_json(folder / "result.json", content)
    return result


def results_of(run: Run, result: Mapping[str, Any]) -> dict[Path, Mapping[str, Any]]:
    """A run's result and those of its baselines in it, by their folders."""
    beside = [baseline.folder for baseline in run.baselines if baseline.rounds.last() is not None]
    return {run.folder: result, **dict(zip(beside, result["baselines"], strict=True))}


def write_page(run: Run, database: str | None = None) -> None:
    """report.html, of result.json, of what attacks found, and of the ledger, which is the one `Workflow` finds."""
    from fedrec.reporting.run_page import write_report
    from server.attack_results import drop_outdated, found
    from unlearning.workflow.erasures import erasures

    drop_outdated(run)
    write_report(run.result, run.folder / "report.html", erasures(run, database), found(run))


def result_of(run: Run) -> dict[str, Any]:
    """What a run's rounds and those of its baselines say."""
    history, reference, config = run.rounds.history(), run.reference, run.config
    last = history[-1]
    facts = {fact.id: vars(fact) for fact in reference.clients}
    overall = last.overall or {}
    return {
        "run": run.name,
        "strategy": config.strategy,
        "rounds": last.round,
        "shards": config.shards,
        "seed": config.seed,
        "data": reference.data,
        "base": reference.base,
        "clients": [{**facts.get(client["id"], {}), **client} for client in last.clients or ()],
        "overall": overall,
        "measured": last.share,
        "trivial": reference.trivial,
        "trivial_uauc": reference.trivial_uauc,
        "trivial_uauc_at_split": reference.trivial_uauc_at_split,
        "best_possible_auc": reference.best_possible_auc,
        "best_possible_uauc": reference.best_possible_uauc,
        "history": [entry.content() for entry in history],
        "bytes_up": sum(entry.bytes_up for entry in history),
        "bytes_down": sum(entry.bytes_down for entry in history),
        "seconds": sum(entry.seconds or 0.0 for entry in history),
        "adapter_hash": last.adapter_hash,
        "privacy": promise(config, history),
        "config": config.model_dump(mode="json"),
        "notes": [
            *reference.notes,
            *(() if history[0].overall else (_ERASED,)),
            *_how_far_known(overall),
            *((_ITEM_ROWS,) if config.items.rank and config.items.share == "all" and not run.pools else ()),
            *_not_of_likes(config, overall),
        ],
        "baselines": [result_of(baseline) for baseline in run.baselines if baseline.rounds.last() is not None],
    }
