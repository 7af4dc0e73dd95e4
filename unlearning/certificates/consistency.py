"""That plan, participation, configuration and certificate name the same shards, rounds, clients, adapters and data.

Each check takes the certificate and the bundle's parts, and gives what is wrong; empty where nothing is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from unlearning.audit.canonical import digest
from unlearning.audit.chain import breaks
from unlearning.certificates.certificate import Certificate, claimed_threshold
from unlearning.certificates.continuity import behind

Parts = Mapping[str, Any]


def plan_fault(certificate: Certificate, parts: Parts) -> str:
    """What was planned is what was done: no shard, round or client less, and all that it left is named."""
    plan = parts["plan.json"]
    if list(certificate.shards) != plan["shards"]:
        return "the plan is of other shards than the certificate"
    if {shard for shards in plan.get("changed", {}).values() for shard in shards} - {*plan["shards"]}:
        return "the plan leaves out a shard whose rows had changed"
    if certificate.rounds != plan["rounds"]:
        return "the plan is of another number of rounds than the certificate"
    if sorted(certificate.clients) != sorted(plan["retrained_clients"]):
        return "the plan trains other clients again than the certificate names"
    if claimed_threshold(certificate.claim) is None and certificate.claim != plan["claim"]:
        return "the claim is not the planned one"
    if plan["follows"] is not None and (certificate.previous is None or not isinstance(plan["follows"], str)):
        return "the plan begins with what another certificate left, and this is the first"
    for name, named in (("exceptions", certificate.exceptions), ("elsewhere", certificate.elsewhere)):
        if {*plan[name]} - {remainder.what for remainder in named}:
            return f"the plan's {name} are not all in the certificate"
    return ""


def configuration_fault(certificate: Certificate, parts: Parts) -> str:
    """The model that was certified has those shards, rounds of each shard's training, and seeds."""
    config = parts["config.json"]
    if digest(config) != certificate.config:
        return "config.json is not the one certified"
    if any(shard >= config["shards"] for shard in certificate.shards):
        return "the certificate names a shard that the run does not have"
    if certificate.shards and certificate.rounds != config["rounds"]:
        return "the shards were not trained for all rounds of their training"
    seeds = {line["seed"] for line in parts["participation.jsonl"]} | {certificate.seeds["run"]}
    return "" if seeds == {config["seed"]} else "the seed is not the run's"


def data_fault(certificate: Certificate, parts: Parts) -> str:
    """The data before are those of the plan; afterwards those clients hold other rows that had some to erase."""
    before, after = (parts["data_manifest.json"][side] for side in ("before", "after"))
    if (digest(before), digest(after)) != (certificate.dataset_before, certificate.dataset_after):
        return "data_manifest.json is not the one certified"
    if before != parts["plan.json"]["data_before"]:
        return "the data before are not those of the plan"
    if before.keys() != after.keys():
        return "the data before and after are of other clients"
    if lacking := behind(parts["plan.json"]["erasures_before"], parts["data_manifest.json"]["erasures_after"]):
        return f"{', '.join(lacking)}: lacks erasures that it had before"
    kept = [client for client in parts["plan.json"]["clients"] if before[client] == after[client]]
    return f"{', '.join(kept)}: had rows to erase, and holds the same as before" if kept else ""


def adapters_fault(certificate: Certificate, parts: Parts) -> str:
    """One adapter for each client and shard: before as the plan found it, after as the last round left it."""
    if parts["adapters.json"] != [adapter.model_dump(mode="json") for adapter in certificate.adapters]:
        return "adapters.json has other hashes than the certificate"
    pairs = Counter((adapter.client, adapter.shard) for adapter in certificate.adapters)
    if pairs != Counter((client, shard) for client in certificate.clients for shard in certificate.shards):
        return "the adapters are not those of the certificate's clients and shards"
    plan, lines = parts["plan.json"], parts["participation.jsonl"]
    last = {line["shard"]: line["models"] for line in lines if line["round"] == certificate.rounds}
    for adapter in certificate.adapters:
        found = plan["adapters_before"].get(adapter.client, [])
        planned = found[plan["shards"].index(adapter.shard)] if found else None
        if (planned or None) != adapter.before:
            return "the adapters before are not those of the plan"
        if last[adapter.shard].get(adapter.client, adapter.after) != adapter.after:
            return "the adapters after are not those that the last round left"
    return ""


def recipients_fault(certificate: Certificate, parts: Parts) -> str:
    """Every client that holds rows was told on the day of the certificate, and keeps this request's tombstones."""
    told = [(each.name, each.notified) for each in certificate.recipients]
    day = certificate.issued_at.astimezone(UTC).date()
    if sorted(told) != [(client, day) for client in sorted(parts["data_manifest.json"]["after"])]:
        return "the recipients are not the clients that hold the data, told on that day"
    return "" if certificate.tombstone == certificate.request else "the tombstone is not this request's"


def participation_fault(certificate: Certificate, parts: Parts) -> str:
    """The chain, and that each shard's rounds and the clients in them are those of the certificate."""
    lines = parts["participation.jsonl"]
    for number, why in breaks(lines):
        return f"participation.jsonl, line {number}: {why}"
    done = Counter((line["shard"], line["round"]) for line in lines)
    expected = ((shard, number) for shard in certificate.shards for number in range(1, certificate.rounds + 1))
    if done != Counter(expected):
        return "participation.jsonl has other shards or rounds than the certificate"
    strangers = {client for line in lines for client in line["models"]} - {*certificate.clients}
    return f"participation.jsonl names clients that the certificate does not: {len(strangers)}" if strangers else ""
