"""The impact plan of a request: what it touches, what that costs, and by which thresholds the result will be judged."""

from __future__ import annotations

from typing import Any

from fedrec.data.selection import Selection
from server.erasure import FederatedErasure, Located
from server.forget.office import Rules

BACKUPS = "backups of the clients' vaults, until they are overwritten"
EXPORTS = "adapters that were exported from this run"


def impact(erasure: FederatedErasure, selection: Selection, client: str | None, rules: Rules) -> dict[str, Any]:
    """As JSON takes it; no person in it.

    The time is estimated from the rounds as they were run: what the shards are of all shards.
    """
    located = erasure.locate(selection, client)
    config, history = erasure.run.config, erasure.run.rounds.history()
    seconds = sum(entry.get("seconds") or 0 for entry in history)
    return {
        "shards": list(located.shards),
        "of_shards": config.shards,
        "clients": located.rows,
        "retrained_clients": list(erasure.run.clients) if located.shards else [],
        "rounds": config.federation.rounds if located.shards else 0,
        "path": "exact",
        "why": "the shards are trained again from their start without the rows",
        "estimated_seconds": round(seconds * len(located.shards) / config.shards, 1),
        "data_before": located.data,
        "adapters_before": _adapters(located),
        "thresholds": rules.thresholds.model_dump(mode="json"),
        "exceptions": [BACKUPS, *rules.exceptions],
        "elsewhere": [EXPORTS, *rules.elsewhere],
    }


def _adapters(located: Located) -> dict[str, list[str]]:
    """The served hashes of the shards that go, by client; empty where none was served."""
    return {client: [hashes[shard] for shard in located.shards] for client, hashes in located.adapters.items()}
