"""Requests to erase: until nothing serves what knew somebody, and through every kill."""

from __future__ import annotations

from statistics import fmean, median
from typing import Any


def withdrawal(result: dict[str, Any]) -> str:
    firsts = [row["first_without_seconds"] for row in result["withdrawals"]]
    return (
        f"While {result['threads']} threads keep asking a model of {result['shards']} shards, the first answer without "
        f"a withdrawn shard comes {median(firsts):.2f} s after the call (median; slowest {max(firsts):.2f} s). Of "
        f"{result['answers']:,} answers {result['failed'] or 'none'} failed, and "
        f"{result['from_withdrawn_afterwards'] or 'none'} came from a withdrawn adapter afterwards."
    )


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
