"""That plan, participation, configuration and certificate name the same shards, rounds, clients, adapters and data."""

from __future__ import annotations

from collections import Counter
from datetime import UTC

from unlearning.audit.canonical import digest
from unlearning.audit.chain import breaks
from unlearning.certificates.certificate import Certificate
from unlearning.certificates.claims import claimed_threshold
from unlearning.certificates.continuity import behind
from unlearning.certificates.faults import Fault, Parts, require
from unlearning.certificates.ways import answer_of


def check_plan(certificate: Certificate, parts: Parts) -> None:
    """What was planned is what was done: no shard, round or client less, and all that it left is named."""
    plan = parts["plan.json"]
    answer = answer_of(certificate, plan)
    changed = {shard for shards in plan["changed"].values() for shard in shards}
    require([*certificate.shards] == plan["shards"], "the plan is of other shards than the certificate")
    require(changed <= {*plan["shards"]}, "the plan leaves out a shard whose rows had changed")
    require(certificate.rounds == answer["rounds"], "the plan is of another number of rounds than the certificate")
    same = sorted(certificate.clients) == sorted(answer["retrained_clients"])
    require(same, "the plan trains other clients again than the certificate names")
    require(certificate.claim == answer["claim"], "the claim is not the planned one")
    follows = certificate.previous is not None and isinstance(plan["follows"], str)
    first = "the plan begins with what another certificate left, and this is the first"
    require(plan["follows"] is None or follows, first)
    for name, named in (("exceptions", certificate.exceptions), ("elsewhere", certificate.elsewhere)):
        known = {remainder.what for remainder in named}
        require({*plan[name]} <= known, f"the plan's {name} are not all in the certificate")


def check_configuration(certificate: Certificate, parts: Parts) -> None:
    """The model that was certified has those shards, rounds of each shard's training, and seeds."""
    config = parts["config.json"]
    require(digest(config) == certificate.config, "config.json is not the one certified")
    there = all(shard < config["shards"] for shard in certificate.shards)
    require(there, "the certificate names a shard that the run does not have")
    exact = claimed_threshold(certificate.claim) is None
    complete = not (certificate.shards and exact) or certificate.rounds == config["rounds"]
    require(complete, "the shards were not trained for all rounds of their training")
    seeds = {line["seed"] for line in parts["participation.jsonl"]} | {certificate.seeds["run"]}
    require(seeds == {config["seed"]}, "the seed is not the run's")


def check_data(certificate: Certificate, parts: Parts) -> None:
    """The data before are those of the plan; afterwards those clients hold other rows that had some to erase."""
    plan, manifest = parts["plan.json"], parts["data_manifest.json"]
    before, after = manifest["before"], manifest["after"]
    same = (digest(before), digest(after)) == (certificate.dataset_before, certificate.dataset_after)
    require(same, "data_manifest.json is not the one certified")
    require(before == plan["data_before"], "the data before are not those of the plan")
    require(before.keys() == after.keys(), "the data before and after are of other clients")
    lacking = behind(plan["erasures_before"], manifest["erasures_after"])
    require(not lacking, f"{', '.join(lacking)}: lacks erasures that it had before")
    kept = [client for client in plan["clients"] if before[client] == after[client]]
    require(not kept, f"{', '.join(kept)}: had rows to erase, and holds the same as before")


def check_adapters(certificate: Certificate, parts: Parts) -> None:
    """One adapter for each client and shard: before as the plan found it, after as the last round left it."""
    plan, lines = parts["plan.json"], parts["participation.jsonl"]
    same = parts["adapters.json"] == [adapter.model_dump(mode="json") for adapter in certificate.adapters]
    require(same, "adapters.json has other hashes than the certificate")
    pairs = Counter((adapter.client, adapter.shard) for adapter in certificate.adapters)
    expected = Counter((client, shard) for client in certificate.clients for shard in certificate.shards)
    require(pairs == expected, "the adapters are not those of the certificate's clients and shards")
    last = {line["shard"]: line["models"] for line in lines if line["round"] == certificate.rounds}
    for adapter in certificate.adapters:
        found = plan["adapters_before"].get(adapter.client, [])
        planned = found[plan["shards"].index(adapter.shard)] if found else None
        require((planned or None) == adapter.before, "the adapters before are not those of the plan")
        left = last[adapter.shard].get(adapter.client, adapter.after)
        require(left == adapter.after, "the adapters after are not those that the last round left")


def check_recipients(certificate: Certificate, parts: Parts) -> None:
    """Every client that holds rows was told on the day of the certificate, and keeps this request's tombstones."""
    told = sorted((each.name, each.notified) for each in certificate.recipients)
    day = certificate.issued_at.astimezone(UTC).date()
    holding = [(client, day) for client in sorted(parts["data_manifest.json"]["after"])]
    require(told == holding, "the recipients are not the clients that hold the data, told on that day")
    require(certificate.tombstone == certificate.request, "the tombstone is not this request's")


def check_participation(certificate: Certificate, parts: Parts) -> None:
    """The chain, and that each shard's rounds and the clients in them are those of the certificate."""
    lines = parts["participation.jsonl"]
    for number, why in breaks(lines):
        raise Fault(f"participation.jsonl, line {number}: {why}")
    done = Counter((line["shard"], line["round"]) for line in lines)
    expected = Counter((shard, k) for shard in certificate.shards for k in range(1, certificate.rounds + 1))
    require(done == expected, "participation.jsonl has other shards or rounds than the certificate")
    strangers = {client for line in lines for client in line["models"]} - {*certificate.clients}
    require(not strangers, f"participation.jsonl names clients that the certificate does not: {len(strangers)}")
