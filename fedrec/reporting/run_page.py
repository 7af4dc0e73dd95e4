"""A run as one self-contained page: `result.json` in, one HTML file out that needs no network and no script.

The same result and erasure requests give the same bytes. Every name in a result is untrusted text and is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fedrec.privacy.attacks.finding import Report
from fedrec.registry import STRATEGIES
from fedrec.reporting import attack_section, heatmap, run_figures, run_result, templating
from fedrec.reporting.erasure_section import KINDS, STATES, Erasures
from fedrec.reporting.privacy_section import promise_of
from fedrec.reporting.run_result import Result


def write_report(result: Result, path: Path, requests: Erasures | None = None, attacks: Sequence[Report] = ()) -> None:
    """Write the page of a result to `path`, with its erasure requests and what attacks found where it has any.

    Raises:
        FedrecError: the file cannot be written.
    """
    templating.write(render(result, requests, attacks), path)


def render(result: Result, requests: Erasures | None = None, attacks: Sequence[Report] = ()) -> str:
    """The page as HTML."""
    result = run_result.complete(result)
    content = {**_content(result), "erasures": requests, "kinds": KINDS, "states": STATES}
    content["attacks"] = attack_section.shown(attacks)
    return templating.render("run.html.j2", content, {**_figures(result), **attack_section.figures(attacks)})


def _content(result: Result) -> dict[str, Any]:
    before = run_result.start(result)
    return {
        "config": result.get("config") or {},
        "result": result,
        "digest": run_result.digest(result),
        "measured": result.get("measured") or 1.0,
        "share": run_result.share_of_possible(result),
        "doubts": run_result.doubts(result),
        "beaten": run_result.beats(result),
        "trivial_names": run_result.TRIVIAL,
        "strategy_words": _words(result["strategy"]),
        "before_overall": before["overall"],
        "before": {metric: run_result.by_client(before, metric) for metric in (*run_result.RANKED, "logloss")},
        "runs": run_result.contenders(result),
        "best": _best(result),
        "hidden": len(result["clients"]) - len(run_result.shown_clients(result)),
        "promise": promise_of(result),
        "dropped": [(entry["round"], reply) for entry in result["history"] for reply in entry["dropped"]],
    }


def _words(strategy: str) -> str:
    return STRATEGIES.load(strategy).words if strategy in STRATEGIES else strategy


def _figures(result: Result) -> dict[str, str]:
    return {
        "standing": run_figures.standing(result),
        "learning": run_figures.learning(result),
        "per_client": run_figures.per_client(result),
        "similarity": heatmap.matrices(result, "similarity", "{} and {}: {}"),
        "weights": heatmap.matrices(result, "weights", "of the new model of {}, the share of {}: {}"),
        "heating": run_figures.heating(result),
        "traffic": run_figures.traffic(result),
    }


def _best(result: Result) -> dict[str, float]:
    """The best value of each metric over the strategies, where more than one was run."""
    overalls = [run["overall"] for _, run in run_result.contenders(result)]
    rising = (*run_result.RANKED, "mean_auc", "worst_auc")
    choice = {**dict.fromkeys(rising, max), "std_auc": min, "logloss": min}
    known = {key: [overall[key] for overall in overalls if overall[key] is not None] for key in choice}
    return {key: pick(known[key]) for key, pick in choice.items() if len(known[key]) > 1}
