"""A run on the terminal: one line a round while it goes, and the table of its result at the end."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from fedrec.reporting.formatting import change, clean, count, duration, number, percent, size
from fedrec.reporting.privacy_section import privacy_line
from fedrec.reporting.run_result import (
    RANKED,
    TRIVIAL,
    TRIVIAL_RANKED,
    Result,
    by_client,
    complete,
    complete_round,
    contenders,
    doubts,
    share_of_possible,
    shown_clients,
    start,
)
from fedrec.reporting.terminal_table import table_of

_ROUND = "{:>5}  {:>6}  {:>6}  {:>6}  {:>6}  {:>7}  {}"
ROUND_HEADER = _ROUND.format("round", "AUC", "mean", "worst", "loss", "bytes", "time")


def round_line(entry: Result) -> str:
    """One round of the history in one line of plain text under `ROUND_HEADER`, for live output.

    AUC over all test rows, mean and worst of the clients', mean training loss, bytes sent and received, time; then
    whatever went wrong.
    """
    overall = complete_round(entry)["overall"]
    losses = [loss for loss in (entry.get("train_loss") or {}).values() if loss is not None]
    line = _ROUND.format(
        entry["round"] or "start",
        *(number(overall[key]) for key in ("auc", "mean_auc", "worst_auc")),
        number(sum(losses) / len(losses) if losses else None),
        _sent(entry),
        duration(entry.get("seconds")),
    )
    faults = [
        f"{clean(reply['client'])} dropped: {clean(reply['reason'], 200)}" for reply in entry.get("dropped") or []
    ]
    if entry.get("skipped"):
        faults.append(f"skipped: {clean(entry['skipped'], 200)}")
    return "  ".join([line, *faults])


def done_line(done: int | None, rounds: int) -> str | None:
    """What a run that goes on has of its rounds, which are not shown again; None where it begins.

    Args:
        done: the last finished round, 0 = the start is measured; None = nothing is.
        rounds: how many there are.
    """
    if done is None:
        return None
    if done >= rounds:
        return f"all rounds are done, {rounds} of {rounds}"
    before = "the start is" if done == 0 else "round 1 is" if done == 1 else f"rounds 1 to {done} are"
    return f"{before} done, of {rounds}: it goes on with round {done + 1}"


def print_results(console: Console, result: Result) -> None:
    """The tables of a result, and what is to be doubted in it, a line each however wide the terminal is."""
    console.print(results_table(result))
    if (line := privacy_line(result)) is not None:
        console.print(Text(line), soft_wrap=True)
    for doubt in doubts(complete(result)):
        console.print(Text(f"warning: {doubt}", "yellow"), soft_wrap=True)


def results_table(result: Result) -> RenderableType:
    """The result per client and overall, before → after; the strategies beside each other; what is to beat."""
    result = complete(result)
    part = result.get("measured") or 1.0
    sampled = [f"measured on {percent(part)} of the people, the same each time: evaluate.users, evaluate.last"]
    return Group(_clients(result), "", _strategies(result), "", _yardsticks(result), *(sampled if part < 1 else ()))


def _clients(result: Result) -> Table:
    before = start(result)
    headings = ("rows", "AUC before", "after", "change", "UAUC", "at split", "LogLoss")
    table = table_of(f"{clean(result['run'])}: each client's own later interactions", "client", headings)
    aucs = by_client(before, "auc")
    shown = shown_clients(result)
    for client in shown:
        table.add_row(*_measured(client["id"], client, aucs.get(client["id"])))
    hidden = len(result["clients"]) - len(shown)
    if hidden:
        table.add_row(Text(f"({hidden} more, all with a higher AUC)", "dim"))
    table.add_section()
    overall = result["overall"]
    table.add_row(*_measured("all rows", overall, before["overall"].get("auc")), style="bold")
    margins = [overall[f"{name}_margin"] for name in RANKED]
    if any(margin is not None for margin in margins):
        auc, uauc, at_split = map(number, margins)
        table.add_row("± (95 %)", "", "", auc, "", uauc, at_split, "")
    return table


def _measured(name: str, metrics: Result, before: float | None) -> list[Text]:
    auc = metrics["auc"]
    cells = [clean(name), count(metrics["examples"]), number(before), number(auc), change(before, auc)]
    return [Text(cell) for cell in [*cells, *(number(metrics[key]) for key in ("uauc", "uauc_at_split", "logloss"))]]


def _strategies(result: Result) -> Table:
    headings = ("all rows", "mean", "worst", "std", "UAUC", "at split", "bytes", "time")
    table = table_of("strategies beside each other (AUC)", "strategy", headings)
    for k, (name, run) in enumerate(contenders(result)):
        overall = run["overall"]
        metrics = [number(overall[key]) for key in ("auc", "mean_auc", "worst_auc", "std_auc", "uauc", "uauc_at_split")]
        costs = [_sent(run), duration(run["seconds"])]
        table.add_row(*map(Text, [name, *metrics, *costs]), style="bold" if k == 0 else "")
    return table


def _yardsticks(result: Result) -> Table:
    table = table_of("to beat, on the same rows", "scorer", ("AUC", "UAUC", "at split"))
    for key in result["trivial"]:
        metrics = [number(result[where].get(key)) for where in TRIVIAL_RANKED.values()]
        table.add_row(Text(TRIVIAL.get(key, key)), *metrics)
    if result.get("best_possible_auc") is not None:
        reached = f"best possible ({percent(share_of_possible(result))} of the way reached)"
        ranked = number(result["best_possible_uauc"])
        table.add_row(reached, number(result["best_possible_auc"]), ranked, ranked)
    return table


def _sent(told: Result) -> str:
    """The bytes of a round or a run, where they are known."""
    sent = told["bytes_up"] + told["bytes_down"]
    return size(sent) if sent else "–"
