"""What is measured of new adapters before they are served, and how each request's own plan judges it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fedrec.files import finite
from fedrec.privacy.coarsening import coarse_change, coarse_membership
from fedrec.protocol.adapters import Model, digest_of
from unlearning.executor import Executor, Rehearsal
from unlearning.requests.request import Request
from unlearning.verification import BeforeAfter, Measures, Report, Thresholds, adapter_faults, verdict
from unlearning.way import Way


def measured(
    executor: Executor,
    requests: Sequence[Request],
    shards: Sequence[int],
    models: Mapping[str, Model],
    unequal: int | None,
    originals: Mapping[str, Model] | None = None,
) -> dict[str, Any]:
    """What is measured of new adapters before they are served, which all requests have in common.

    Args:
        unequal: adapters that a second training did not give again; None = there was none.
        originals: what an approximate answer began with; None where the adapters are trained again.
    """
    facts: dict[str, Any] = {"adapters_not_finite": 0, "adapters_untrained": 0, "unequal_adapters": unequal}
    if shards:
        ids = [request.id for request in requests]
        before = executor.rehearse(ids, shards, originals) if originals is not None else None
        rehearsal = executor.rehearse(ids, shards, models)  # the last, as what weighs them is kept until they serve
        facts |= finite(_membership(rehearsal))
        if before is not None:
            facts["approximate"] = _before_after(before, rehearsal)
        if rehearsal.utility is not None:
            change = coarse_change(*rehearsal.utility)
            facts |= dict(zip(("utility", "utility_low", "utility_high"), change, strict=True))
        tensors = [_named(state) for model in models.values() for state in model if _taught(state)]
        facts["adapters_not_finite"], facts["adapters_untrained"] = adapter_faults(tensors)
        facts["unanswered"] = rehearsal.unanswered
        if rehearsal.forgotten:
            facts["adapters_unchanged"] = _unchanged(requests, shards, models)
    return facts


def _membership(found: Rehearsal) -> dict[str, float]:
    told = coarse_membership(np.array(found.forgotten), np.array(found.unseen))
    return dict(zip(("membership_auc", "membership_low", "membership_high"), told, strict=True))


def _before_after(before: Rehearsal, after: Rehearsal) -> BeforeAfter | None:
    """None where no row was there to tell by."""
    if not (before.forgotten and before.unseen):
        return None

    def loss(of: Sequence[float]) -> float:
        return round(-float(np.mean(of)), 2) + 0.0

    return BeforeAfter(
        **_membership(before),
        auc=None if after.utility is None else (round(after.utility[0], 2), round(after.utility[1], 2)),
        erased_loss=(loss(before.forgotten), loss(after.forgotten)),
        unseen_loss=(loss(before.unseen), loss(after.unseen)),
    )


def judged(request: Request, traces: int, facts: Mapping[str, Any], way: Way = Way.EXACT) -> Report:
    """By the thresholds that the request's own plan fixed.

    Args:
        traces: how much of it was found after the erasure.
        facts: as `measured` gives them.
        way: of the answer.
    """
    plan = request.plan or {}
    own = tuple(client for client in facts.get("unanswered", ()) if client in plan["clients"])
    measures = Measures.model_validate({"traces": traces, **facts, "unanswered": own})
    fixed = plan["approximate"] if way == Way.APPROXIMATE else plan
    return verdict(measures, Thresholds.model_validate(fixed["thresholds"]))


def _unchanged(requests: Sequence[Request], shards: Sequence[int], models: Mapping[str, Model]) -> int | None:
    """How many adapters are as they were, where all are; None where what they were, or had learned, is not known.

    Rows that came or went since a shard was trained may be the ones that are erased, and it never had them.
    """
    plans = [request.plan or {} for request in requests]
    if any(plan["changed"] for plan in plans):
        return None
    before = {
        (client, shard): before_of(plan, client, shard)
        for plan in plans
        for client in models
        for shard in plan["shards"]
    }
    after = {
        (client, shard): digest_of(state)
        for client, model in models.items()
        for shard, state in zip(shards, model, strict=True)
    }
    if not all(before.get(each) for each in after):
        return None
    return len(after) if before == after else 0


def before_of(plan: Mapping[str, Any], client: str, shard: int) -> str | None:
    """The hash of the adapter that the plan found; None where it is not known."""
    known = plan["adapters_before"].get(client, [])
    return known[plan["shards"].index(shard)] if shard in plan["shards"] and known else None


def _named(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace(".B", ".lora_B").replace(".A", ".lora_A"): array for name, array in state.items()}


def _taught(state: Mapping[str, Any]) -> bool:
    """Whether any client had a row to teach it; otherwise it is still the initial one, with B zero."""
    return any(array.any() for name, array in state.items() if name.endswith(".B"))
