"""The impact plan of a request: what it touches, what that costs, and by which thresholds the result will be judged."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from fedrec.config import RunConfig
from fedrec.errors import FedrecError
from fedrec.models.embedded import cache
from fedrec.reporting.formatting import clean
from fedrec.text import amount, one_line
from unlearning.certificates.chain import newest
from unlearning.certificates.claims import NEVER_LEARNED, NOTHING_FOUND, RETRAINED, approximately, exactly
from unlearning.executor import Executor, Located
from unlearning.way import Way
from unlearning.workflow.workflow import Rules, certificates_of

BACKUPS = "backups, until they are overwritten"
EXPORTS = "copies of records, figures or the model that were taken out of this system"
OTHERS = "other models and comparisons made from the same records"

SAME_LIST = "bit for bit as trained without them over the same"

_WHY = {
    RETRAINED: "the shards are trained again from their start without the rows",
    NEVER_LEARNED: "no shard learned from the rows: they are deleted, and nothing is trained again",
    NOTHING_FOUND: "there is no such row now; tombstones keep those away that would come",
}


def impact(executor: Executor, located: Located, rules: Rules, way: Way = Way.EXACT) -> dict[str, Any]:
    """As JSON takes it; no person in it, nor how many rows, which with the source at hand tells whose they are.

    Args:
        way: one that begins approximately has `approximate` beside what is claimed exactly.

    Raises:
        FedrecError: it cannot be forgotten approximately.
    """
    answer = {} if way == Way.EXACT else {"approximate": approximate(executor, located, rules)}
    claim = exactly(located.shards, bool(located.rows))
    config, cost, kept = executor.model.config, executor.cost(located.shards), kept_titles(located)
    return {
        "shards": list(located.shards),
        "of_shards": config.shards,
        "clients": sorted(located.rows),
        "retrained_clients": cost.clients,
        "rounds": cost.rounds,
        "path": way.value,
        **answer,
        "claim": claim,
        "why": _WHY[claim] + (f", {SAME_LIST} catalogue" if kept and located.shards else ""),
        "changed": {client: list(shards) for client, shards in sorted(located.changed.items())},
        "estimated_seconds": round(cost.seconds, 1),
        "data_before": located.data,
        "erasures_before": {client: list(end) for client, end in sorted(located.erasures.items())},
        "follows": newest(certificates_of(executor.model)),
        "adapters_before": {
            client: [hashes[shard] for shard in located.shards] for client, hashes in located.adapters.items()
        },
        "thresholds": rules.thresholds.model_dump(mode="json"),
        "baselines_removed": executor.baselines if located.rows or located.shards else [],
        "exceptions": [BACKUPS, *rules.exceptions],
        "elsewhere": [*kept, *out_of_reach(config), *rules.elsewhere],
    }


def approximate(executor: Executor, located: Located, rules: Rules) -> dict[str, Any]:
    """What forgetting approximately takes, may claim, and is judged by: the whole interval has to be within the limit.

    Raises:
        FedrecError: it cannot be done.
    """
    if located.changed:
        raise FedrecError(f"nobody knows what else to forget: {changes(located.changed)}")
    if not located.shards:
        raise FedrecError("no shard learned from it, so there is nothing to forget")
    cost = executor.unlearning(located)
    thresholds = rules.thresholds.model_copy(update={"membership_end": "far"})
    return {
        "claim": approximately(thresholds.membership),
        "retrained_clients": cost.clients,
        "rounds": cost.rounds,
        "estimated_seconds": round(cost.seconds, 1),
        "thresholds": thresholds.model_dump(mode="json"),
    }


def offered(executor: Executor, located: Located, rules: Rules) -> dict[str, Any]:
    """As `approximate`; or `why_not`, where it cannot be done; nothing where no shard learned from it."""
    if not located.shards:
        return {}
    try:
        return approximate(executor, located, rules)
    except FedrecError as error:
        return {"why_not": one_line(str(error))}


def changes(changed: Mapping[str, Collection[int]]) -> str:
    """Why shards are trained again whatever is selected, in one line; empty where none is."""
    return "; ".join(
        f"shard{'s' if len(shards) > 1 else ''} {', '.join(map(str, shards))} of {client} learned from "
        "other rows than are in its vault now"
        for client, shards in changed.items()
    )


def kept_titles(located: Located) -> list[str]:
    """What stays of the rows in a catalogue that was made of all of them: how many titles, and none of their names.

    The base model's tokens, item rows and the ranking are over that catalogue; so is what trained again is like.
    """
    if located.titles is None:
        return []
    told = "the list of titles was made of all records"
    some = amount(located.titles, "title")
    stay = "stay" if located.titles > 1 else "stays"
    told += f": {some} that only these records had {stay} in it" if located.titles else ", and stays as it is"
    return [told + (f"; what was trained again is {SAME_LIST} list" if located.shards else "")]


def out_of_reach(config: RunConfig) -> list[str]:
    """What may hold rows, or have learned from them, and is not the run's to erase."""
    known = [EXPORTS, OTHERS]
    if config.data.path is not None:
        known.append(f"the file or folder that the records came from ({clean(Path(config.data.path).name, 80)})")
    if config.base is not None and not Path(config.base).is_relative_to(cache()):
        name = clean(Path(config.base).name, 80)
        known.append(f"the language model that this one began with ({name}), where it had read such records before")
    return known
