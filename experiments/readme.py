"""Puts the figures of results/ into the README and docs/, between their markers, so that none is written by hand.

python -m experiments.readme
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import fmean, median
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGES = tuple(Path(__file__).parent.parent / page for page in ("README.md", "docs/measured.md"))


def demo(result: dict[str, Any]) -> str:
    first = result["runs"][0]
    trivial = max(first["trivial"].values())
    lines = [
        f"On {result['machine']['cpus']} cores the demo took {result['seconds']:.0f} s with nothing built before. "
        f"PPLR's AUC over all test rows went from {result['auc_before']:.3f}, before any private row, to "
        f"**{first['overall']['auc']:.3f}**: {result['share_of_the_way']:.0%} of the way from guessing to the best "
        f"possible {first['best_possible_auc']:.3f}. The best trivial scorer reaches {trivial:.3f} on the same rows.",
        "",
        *_ranking(first, first["overall"]),
        *table([{"strategy": run["strategy"], **run["overall"]} for run in result["runs"]]),
    ]
    return "\n".join(lines)


def _ranking(result: dict[str, Any], overall: dict[str, Any]) -> list[str]:
    """How well one person's titles are ranked from one history, where it was measured."""
    best = result.get("best_possible_uauc")
    if overall.get("uauc_at_split") is None or best is None:
        return []
    trivial, reached = max(result["trivial_uauc_at_split"].values()), overall["uauc_at_split"]
    return [
        f"Ranking one person's titles from what they had said before the split, UAUC is **{reached:.3f}** ± "
        f"{overall['uauc_at_split_margin']:.3f}; the best possible {best:.3f}, the best trivial scorer {trivial:.3f}.",
        "",
    ]


def strategies(result: dict[str, Any]) -> str:
    settings, trivial = result["settings"], result["trivial"]
    seeds = max(row["seeds"] for row in result["strategies"])
    lines = [
        f"{settings['clients']} clients ({settings['by']}), {settings['rounds']} rounds, {seeds} seed(s), base "
        f"`{Path(settings['base'] or 'embedded').name}`; trivial scorers on the same rows: item {trivial['item']:.3f}, "
        f"recent user {trivial['user']:.3f}, sum {trivial['sum']:.3f}{_regressions(result)}.",
        "",
        *table([{**row, "strategy": row["strategy"] + _of(row["seeds"], seeds)} for row in result["strategies"]]),
    ]
    return "\n".join(lines)


def _regressions(result: dict[str, Any]) -> str:
    """The scorers that earlier results do not have."""
    ranked = result.get("trivial_uauc_at_split", {})
    return "".join(
        f", {name} {result['trivial'][name]:.3f} (UAUC at the split {ranked[name]:.3f})"
        for name in ("counts", "effects")
        if name in ranked
    )


def unlearning(result: dict[str, Any]) -> str:
    """A table of methods, the numbers of shards one under another."""
    settings = result["settings"]
    what = f"{settings['forget']} {settings['unit']}{'s' if settings['forget'] > 1 else ''} deleted"
    seeds = max(row["seeds"] for found in result["shards"].values() for row in found["methods"])
    lines = [
        f"{what}, {seeds} seed(s), base `{Path(settings['base'] or 'embedded').name}`; rows: those trained again, as a "
        "part of full retraining's.",
        "",
        "| shards | method | AUC | to retraining | UAUC | rows | shards again | exact |",
        "|---:|---|---:|---:|---:|---:|---:|---|",
    ]
    for shards, found in result["shards"].items():
        for row in found["methods"]:
            name, part = row["name"] + _of(row["seeds"], seeds), row["rows_processed"] / row["rows_full"]
            lines.append(
                f"| {1 if row['name'] == 'retraining' else shards} | {name} | {row['auc_after']:.4f} "
                f"| {row['difference']:+.4f} | {row['uauc_after']:.4f} | {part:.2f} "
                f"| {row['shards_touched']:.1f} | {', '.join(row['exact'])} |"
            )
    return "\n".join(dict.fromkeys(lines))  # retraining stands beside every number of shards, once here


_SETTINGS = {"scale": "sum of the weights", "tau": "tau (0: equal weights)"}


def weighting(result: dict[str, Any]) -> str:
    """What a setting of APA's weights does, and which value the validation rows choose."""
    found = result["settings"]
    (setting,) = {row["setting"] for row in found}
    chosen = max(found, key=lambda row: row["valid_auc"])
    lines = [f"| {_SETTINGS[setting]} | AUC, validation | AUC, test | LogLoss, test |", "|---:|---:|---:|---:|"]
    for row in found:
        bold = "**" if row is chosen else ""
        lines.append(
            f"| {bold}{row['value']:g}{bold} | {row['valid_auc']:.4f} | {row['test_auc']:.4f} "
            f"| {row['test_logloss']:.4f} |"
        )
    return "\n".join(lines)


def timeline_weights(result: dict[str, Any]) -> str:
    means, models = result["means"], result["models"]
    return (
        "One set of weights for all rows of a person's timeline, instead of one for every prompt, changes AUC by "
        f"{means['auc_of_timelines_minus_prompts']:+.4f} ({models[0]['rows']:,} test rows, mean of "
        f"{len(models)} models) and answers {means['timelines_times_faster']:.1f} times as fast."
    )


def withdrawal(result: dict[str, Any]) -> str:
    firsts = [row["first_without_seconds"] for row in result["withdrawals"]]
    return (
        f"While {result['threads']} threads keep asking a model of {result['shards']} shards, the first answer without "
        f"a withdrawn shard comes {median(firsts):.2f} s after the call (median; slowest {max(firsts):.2f} s). Of "
        f"{result['answers']:,} answers {result['failed'] or 'none'} failed, and "
        f"{result['from_withdrawn_afterwards'] or 'none'} came from a withdrawn adapter afterwards."
    )


def mixed_inference(result: dict[str, Any]) -> str:
    lines = [
        f"{result['adapters']} adapters mixed per row in one pass, a batch of {result['batch']}, beside one adapter of "
        "PEFT, and beside the passes that SISA needs:",
        "",
        "| model | APA(ND) to one PEFT adapter | APA(D) | SISA's passes to APA(ND) |",
        "|---|---:|---:|---:|",
    ]
    return "\n".join(
        lines
        + [
            f"| {name} | {row['ND_over_peft']:.2f} | {row['D_over_peft']:.2f} | {row['passes_over_ND']:.1f} |"
            for name, row in result["models"].items()
        ]
    )


def shard_workers(result: dict[str, Any]) -> str:
    workers, kills = result["workers"], result["kills"]
    return (
        f"Two Ray workers of one thread each finish {result['shards']} shards {workers['warm_times_faster']:.2f} "
        f"times faster than one ({workers['cold_times_faster']:.2f} times with Ray's start); two processes without "
        f"Ray, which know nothing of each other, {workers['plain_times_faster']:.2f} times: so much are this machine's "
        "two CPUs worth together. With workers and driver killed at random moments, "
        f"{kills['equal']} of {kills['of']} runs end in the same bytes."
    )


def deletion_cost(result: dict[str, Any]) -> str:
    rows = [row for row in result["summary"] if row["partition"] == "hash"]
    lines = [
        "Deleting one user, in rows processed: so many times cheaper than full retraining, mean over all users.",
        "",
        "| shards | without slices | 4 slices |",
        "|---:|---:|---:|",
    ]
    for shards in dict.fromkeys(row["shards"] for row in rows):
        times = {row["slices"]: row["everybody_mean"] * shards for row in rows if row["shards"] == shards}
        lines.append(f"| {shards} | {times[1]:.1f} | {times[4]:.1f} |")
    if timed := result["seconds"]["runs"]:
        parts = [f"{run['median_of_rows']:.2f} ({run['method']}, {_slices(run['slices'])})" for run in timed]
        world = f"{result['seconds']['settings']['data.world.users']} people, {timed[0]['shards']} shards"
        told = f"In seconds, on two workers ({world}), times fewer as a part of times fewer rows"
        lines += ["", f"{told}: {', '.join(parts)}."]
    return "\n".join(lines)


def _slices(count: int) -> str:
    return "no slices" if count == 1 else f"{count} slices"


def rounds_per_second(result: dict[str, Any]) -> str:
    faster = result["fedrec_times_faster_than"]
    prompts, loop = (faster[name]["training"]["median"] for name in ("prompts", "loop"))
    return (
        "The same model, rows and steps three ways, single thread: federated training in fedrec is "
        f"{prompts:.1f} times faster than a plain FlowerTune-style app that trains a prompt a row, and takes "
        f"{1 / loop:.2f} times as long as a bare PyTorch loop."
    )


def recommend_speed(result: dict[str, Any]) -> str:
    faster, difference = result["fp32"]["times_faster"]["recommend"], result["fp32"]["largest_difference"]
    return (
        f"`fedrec recommend` over {result['items']:,} items is {faster['batched']:.0f} times faster than scoring each "
        f"prompt by itself in batches, {faster['one by one']:.0f} times faster than one by one; no score differs by "
        f"more than {difference:.0e}."
    )


def large_catalogue(result: dict[str, Any]) -> str:
    agreement = " and ".join(f"{part:.0%} of the best {top}" for top, part in result["agreement"].items())
    seconds = {key: result[f"{key}_seconds"] for key in ("staged", "staged_cpu", "in_full", "loading")}
    return (
        f"Over {result['titles']:,} titles, {result['read_in_full']:,} of them read in full, it takes "
        f"{seconds['staged']:.1f} s after loading ({seconds['staged_cpu']:.1f} s of CPU time on {result['threads']} "
        f"threads), reading all in full {seconds['in_full']:.0f} s, loading {seconds['loading']:.1f} s. Shown are "
        f"{agreement} of the full reading ({len(result['people'])} people; {result['own_titles']:,} titles are a data "
        "set's, the others made up of halves of theirs)."
    )


def _of(mine: int, most: int) -> str:
    return "" if mine == most else f" ({mine} seed{'s' if mine > 1 else ''})"


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A Markdown table of strategies."""
    heads = {
        "auc": "AUC, all rows",
        "mean_auc": "mean client",
        "worst_auc": "worst client",
        "std_auc": "std",
        "uauc": "UAUC",
        "uauc_at_split": "UAUC at split",
        "logloss": "LogLoss",
    }
    heads = {key: head for key, head in heads.items() if all(row.get(key) is not None for row in rows)}
    lines = ["| strategy | " + " | ".join(heads.values()) + " |", "|---|" + "---:|" * len(heads)]
    return lines + [f"| {row['strategy']} | " + " | ".join(f"{row[key]:.4f}" for key in heads) + " |" for row in rows]


def forgetting(result: dict[str, Any]) -> str:
    """A row per number of shards: the slowest withdrawal, and the mean of coming back and closing."""
    requests = result["requests"]
    lines = [
        f"{requests[0]['clients']} clients, one person forgotten at a time: until nothing that knew them is served; "
        "from then until their shard is served again, retrained and verified, also as a part of the time of all "
        "shards' rounds divided by the number of shards; until all test rows are measured and the certificate is "
        "signed. The clients work one after another on one core:",
        "",
        "| shards | people | withdrawn, slowest | served again | as a part | certified |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for shards in dict.fromkeys(row["shards"] for row in requests):
        mine = [row for row in requests if row["shards"] == shards]
        slowest = max(row["submitted_to_withdrawn_seconds"] for row in mine)
        keys = ("withdrawn_to_restored_seconds", "of_full_over_shards", "closed_seconds")
        back, part, closed = (fmean(row[key] for row in mine) for key in keys)
        lines.append(f"| {shards} | {len(mine)} | {slowest:.2f} s | {back:.1f} s | {part:.2f} | {closed:.1f} s |")
    return "\n".join(lines)


def forget_kills(result: dict[str, Any]) -> str:
    return (
        f"`forget run` killed {result['killed']} times in {result['runs']} runs, at moments spread over its whole "
        f"life, and resumed: {result['equal']} of {result['runs']} end in the same adapters and certificates, and "
        f"{result['served_wrongly'] or 'none'} served what was withdrawn."
    )


def ledger_speed(result: dict[str, Any]) -> str:
    submit, flush, status = (1000 * result[f"{key}_seconds"]["median"] for key in ("submit", "flush", "status"))
    batch = result["batch"]
    return (
        f"With {result['requests']:,} requests in the ledger a submission takes {submit:.1f} ms (median; two flushes "
        f"to the disk, of {flush:.1f} ms each, are part of it), the status {status:.0f} ms. "
        f"{batch['requests']} requests over {batch['touched_shards']} shards are {batch['shard_retrainings']} "
        "retrainings."
    )


def client_workers(result: dict[str, Any]) -> str:
    round_, whole = (result["seconds"][part] for part in ("round", "whole"))
    return (
        f"A round with as many clients at once as the {result['machine']['cpus']} cores allow takes "
        f"{round_['auto']:.1f} s, with one after another {round_['0']:.1f} s: {round_['ratio']:.2f} times as fast, "
        f"{whole['ratio']:.2f} times for the whole command ({result['turns']} turns, medians), with the same "
        f"adapters. Two runs at once that share nothing do {result['two_runs_at_once']:.2f} times the work of one here."
    )


def untrained_base(result: dict[str, Any]) -> str:
    """What the embedded base reads off histories before any training, beside scorers without a model."""
    names = [name for name in result["sets"][0] if name not in ("data", "titles", "seconds")]
    lines = [
        "AUC on test rows of the embedded base, made of a catalogue's titles and imagined people, before it has learnt "
        "from one real row, beside scorers that count rows:",
        "",
        "| data | titles | " + " | ".join(names) + " |",
        "|---|---:|" + "---:|" * len(names),
    ]
    for row in result["sets"]:
        lines.append(f"| {row['data']} | {row['titles']:,} | " + " | ".join(f"{row[n]:.3f}" for n in names) + " |")
    return "\n".join(lines)


def at_size(result: dict[str, Any]) -> str:
    """A row a phase."""
    phases = result["phases"]
    alone, inspect = phases["pyarrow alone"], phases["inspect"]
    lines = [
        f"{result['rows']:,} rows of {result['people']:,} people and {result['titles']:,} titles with "
        f"{result['clients']:,} clients, {result['learnt']:,} rows to learn from, over a tiny base, on "
        f"{result['machine']['cpus']} cores. `fedrec data inspect` takes "
        f"{inspect['cpu_seconds'] / alone['cpu_seconds']:.1f} times the CPU time of pyarrow alone reading and encoding "
        "the file:",
        "",
        "| phase | seconds | CPU seconds | peak memory, MiB |",
        "|---|---:|---:|---:|",
    ]
    for name, row in phases.items():
        lines.append(f"| {name} | {row['seconds']:.1f} | {row['cpu_seconds']:.1f} | {row['peak_mib']:,.0f} |")
    return "\n".join(lines)


SECTIONS = {
    "demo": demo,
    "ml-1m-like": strategies,
    "ml-100k": strategies,
    "movietweetings": strategies,
    "rounds_per_second": rounds_per_second,
    "recommend_speed": recommend_speed,
    "large_catalogue": large_catalogue,
    "unlearning-ml-100k": unlearning,
    "unlearning-ml-1m-like": unlearning,
    "unlearning-ml-1m-like-users": unlearning,
    "weighting-apa-nd": weighting,
    "weighting-random-user-4": weighting,
    "weighting-random-user-4-tau": weighting,
    "timeline_weights": timeline_weights,
    "deletion_cost": deletion_cost,
    "withdrawal": withdrawal,
    "mixed_inference": mixed_inference,
    "shard_workers": shard_workers,
    "forgetting": forgetting,
    "forget_kills": forget_kills,
    "ledger_speed": ledger_speed,
    "at_size": at_size,
    "client_workers": client_workers,
    "untrained_base": untrained_base,
}


def main() -> None:
    """Fill every section whose result is there."""
    for page in PAGES:
        text = page.read_text("utf-8")
        for name, write in SECTIONS.items():
            path, marked = RESULTS / f"{name}.json", _between(name)
            if path.exists() and marked.search(text):
                body = write(json.loads(path.read_text()))
                text = marked.sub(lambda match, body=body: match[1] + body + "\n" + match[2], text)
        page.write_text(text, "utf-8")


def _between(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)


if __name__ == "__main__":
    main()
