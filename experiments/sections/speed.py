"""How long things take, and how much work they are."""

from __future__ import annotations

from typing import Any


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


def client_workers(result: dict[str, Any]) -> str:
    round_, whole = (result["seconds"][part] for part in ("round", "whole"))
    return (
        f"A round with as many clients at once as the {result['machine']['cpus']} cores allow takes "
        f"{round_['auto']:.1f} s, with one after another {round_['0']:.1f} s: {round_['ratio']:.2f} times as fast, "
        f"{whole['ratio']:.2f} times for the whole command ({result['turns']} turns, medians), with the same "
        f"adapters. Two runs at once that share nothing do {result['two_runs_at_once']:.2f} times the work of one here."
    )


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
