"""Evidence that says otherwise than the certificate fails, though every hash of a file is right and signed."""

import pytest

from tests.unlearning.certificates.made import ADAPTERS, REQUEST, altered, approximate, failed, made, trusted
from unlearning.audit.canonical import digest
from unlearning.certificates.verify import verify_certificate


def _last_round_gone(parts):
    parts["participation.jsonl"] = parts["participation.jsonl"][:-1]


def _first_round_gone(parts):
    parts["participation.jsonl"] = parts["participation.jsonl"][1:]


@pytest.mark.parametrize(
    "options, name",
    [
        ({"change": altered("request.json", "id", "other")}, "request"),
        ({"change": altered("request.json", "pseudonym", 7)}, "request"),
        ({"signed": {"asked": {"scope": {"conditions": ["person", "dates"], "client": None}}}}, "scope"),
        ({"scope": ["person", "client"], "client": "client-0"}, "scope"),
        ({"change": altered("plan.json", "clients", [])}, "scope"),  # where nothing was found, nothing was retrained
        ({"config": "00" * 32}, "configuration"),
        ({"dataset_after": "00" * 32}, "data"),
        ({"adapters": []}, "adapters"),
        ({"change": _last_round_gone}, "participation"),
        ({"change": _first_round_gone}, "participation"),
        ({"clients": ["client-0"]}, "participation"),
        ({"rounds": 3}, "participation"),
        ({"change": altered("verification.json", "verdict", "FAIL")}, "verification"),
        ({"change": altered("verification.json", "distances", [])}, "verification"),
        ({"verification_report": "00" * 32}, "verification"),
        ({"unequal_adapters": 0}, "verification"),  # though there was no second training
        (approximate(0.12), "verification"),  # though only the near end of the interval is that close
        ({"change": altered("plan.json", "thresholds", {"membership": 1})}, "verification"),
        ({"audit_head": "00" * 32}, "audit log"),
        ({"plan_first": False}, "plan"),
        ({"withdrawn_seconds": 0.001}, "times"),
        ({"restored_seconds": 41.0}, "times"),
        ({"restored_seconds": None}, "times"),
        ({"answered": [{"client": "client-0", "at": "2026-01-31T10:00:00Z"}]}, "answers"),  # of which no line tells
        ({"planned": {"follows": "00" * 32}}, "agreement"),  # though it is the first one
        ({"recipients": []}, "recipients"),
        ({"recipients": [{"name": f"client-{k}", "notified": "2026-01-30"} for k in range(2)]}, "recipients"),
        ({"tombstone": None}, "recipients"),
        ({"tombstone": REQUEST.replace("1", "9")}, "recipients"),
        ({"issued_at": "2020-01-01T00:00:00Z"}, "order"),
        ({"issued_at": "2026-01-31T10:00:41.999Z"}, "order"),  # before it was served again
        ({"signed": {"planned": {"at": "2026-01-31T10:00:00.001+00:00"}}}, "order"),  # once the work had begun
        ({"signed": {"approved": {"at": "2026-01-01T23:59:59+00:00"}}}, "order"),  # before it had come
        ({"planned": {"erasures_before": {"client-0": [2, "2a" * 32]}}}, "data"),
        ({"planned": {"erasures_before": {"client-1": [1, "00" * 32]}}}, "data"),
    ],
)
def test_evidence_that_says_otherwise_fails_though_signed(tmp_path, options, name):
    """The signer's own mistakes and inventions: every hash of a file is right, what the files say is not."""
    path, bundle, _ = made(tmp_path, **options)
    assert name in failed(verify_certificate(path, bundle=bundle, trusted=trusted(tmp_path)))


def _before_and_after(before, after):
    def change(parts):
        parts["data_manifest.json"] = {**parts["data_manifest.json"], "before": before, "after": after}

    return {"change": change, "dataset_before": digest(before), "dataset_after": digest(after)}


def _adapters(*adapters):
    return {"adapters": list(adapters), "change": lambda parts: parts.update({"adapters.json": list(adapters)})}


def _config(**changes):
    config = {"seed": 1, "shards": 4, "rounds": 2, **changes}
    return {"config": digest(config), "change": lambda parts: parts.update({"config.json": config})}


BEFORE = {"client-0": "aa" * 32, "client-1": "ac" * 32}
AFTER = {**BEFORE, "client-0": "bb" * 32}


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"planned": {"shards": [2, 3]}}, "agreement"),
        ({"planned": {"shards": []}}, "agreement"),
        ({"shards": [], "claim": "never learned from", "rounds": 0, "clients": [], **_adapters()}, "agreement"),
        ({"planned": {"rounds": 3}}, "agreement"),
        ({"planned": {"retrained_clients": ["client-0", "client-1", "client-2"]}}, "agreement"),
        ({"planned": {"claim": "never learned from"}}, "agreement"),
        ({"planned": {"exceptions": ["backups, beyond use", "the source file"]}}, "agreement"),
        ({"exceptions": []}, "agreement"),
        ({"planned": {"elsewhere": ["exports"]}}, "agreement"),
        (_config(shards=3), "configuration"),
        (_config(rounds=3), "configuration"),
        (_config(seed=2), "configuration"),
        ({"seeds": {"run": 2}}, "configuration"),
        ({"planned": {"data_before": AFTER}}, "data"),
        (_before_and_after({**BEFORE, "client-1": "00" * 32}, AFTER), "data"),
        (_before_and_after(BEFORE, BEFORE), "data"),  # nothing was erased where there was something
        (_before_and_after(BEFORE, {"client-0": "bb" * 32}), "data"),
        ({"planned": {"adapters_before": {"client-0": ["00" * 32], "client-1": [ADAPTERS[1]["before"]]}}}, "adapters"),
        (_adapters(ADAPTERS[0]), "adapters"),
        (_adapters(*ADAPTERS, ADAPTERS[0]), "adapters"),
        (_adapters(ADAPTERS[0], {**ADAPTERS[1], "after": "00" * 32}), "adapters"),  # not what was trained
        (_adapters(ADAPTERS[0], {**ADAPTERS[1], "shard": 2}), "adapters"),
    ],
)
def test_plan_participation_and_certificate_name_the_same(tmp_path, options, name):
    path, bundle, _ = made(tmp_path, **options)
    assert name in failed(verify_certificate(path, bundle=bundle, trusted=trusted(tmp_path)))
