"""What a model answers, and what it answers after somebody was deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any


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


def default_settings(result: dict[str, Any]) -> str:
    """AUC on test rows, of each data set with nothing set."""
    names = list(result["sets"][0]["strategies"])
    lines = [
        "AUC on test rows with default base and settings: of scorers that count rows, and of each strategy before "
        "any training, after its first round and after its last (in brackets UAUC at the split).",
        "",
        f"| data | train rows | sum | counts | {' | '.join(names)} |",
        "|---|---:|---:|---:|" + "---:|" * len(names),
    ]
    for row in result["sets"]:
        cells = [
            row["data"],
            f"{row['train_rows']:,}",
            *(f"{row['scorers'][key]['auc']:.3f}" for key in ("sum", "counts")),
        ]
        for each in row["strategies"].values():
            aucs = " → ".join(f"{each[place]['auc']:.3f}" for place in ("before", "first", "last"))
            cells.append(f"{aucs} ({each['last']['uauc_at_split']:.3f})")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def unlearning(result: dict[str, Any]) -> str:
    """A table of methods, the numbers of shards one under another."""
    settings = result["settings"]
    what = f"{settings['forget']} {settings['unit']}{'s' if settings['forget'] > 1 else ''} deleted"
    every = [row for found in result["shards"].values() for row in found["methods"]]
    seeds = max(row["seeds"] for row in every)
    ranked = all(row.get("uauc_at_split_after") for row in every)  # older results lack it
    column = "at split | " if ranked else ""
    lines = [
        f"{what}, {seeds} seed(s), base `{Path(settings['base'] or 'embedded').name}`; rows: those trained again, as a "
        "part of full retraining's.",
        "",
        f"| shards | method | AUC | to retraining | UAUC | {column}rows | shards again | exact |",
        f"|---:|---|---:|---:|---:|{'---:|' if ranked else ''}---:|---:|---|",
    ]
    for shards, found in result["shards"].items():
        for row in found["methods"]:
            name, part = row["name"] + _of(row["seeds"], seeds), row["rows_processed"] / row["rows_full"]
            at_split = f"{row['uauc_at_split_after']:.4f} | " if ranked else ""
            lines.append(
                f"| {1 if row['name'] == 'retraining' else shards} | {name} | {row['auc_after']:.4f} "
                f"| {row['difference']:+.4f} | {row['uauc_after']:.4f} | {at_split}{part:.2f} "
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
