"""A whole erasure of one person, made up: facts, evidence and the signed certificate."""

from unlearning.audit import AuditLog, excerpt
from unlearning.certificates.bundle import Round, participation, write_bundle
from unlearning.certificates.canonical import digest
from unlearning.certificates.certificate import RETRAINED, issue
from unlearning.keyring import Keyring
from unlearning.keys import key_id
from unlearning.verification import Measures, Thresholds, verdict

REQUEST = "11111111-2222-4333-8444-555555555555"
PERSON = "reader-0042@example.org"
PSEUDONYM = "ab" * 32
ADAPTERS = [
    {"client": f"client-{client}", "shard": 3, "before": f"{client}1" * 32, "after": f"{client}2" * 32}
    for client in range(2)
]
GOOD = Measures(
    membership_auc=0.52, membership_low=0.41, membership_high=0.63, utility=-0.001, traces=0, adapters_not_finite=0,
    adapters_untrained=0,
)  # fmt: skip


def keyring(folder):
    """The operators' keys, none of them under a passphrase."""
    return Keyring(folder / "keys", lambda *_: "")


def made(folder, *, measures=GOOD, thresholds=None, previous=None, change=None, plan_first=True, **facts):
    """Write bundle and certificate into a folder; `change` may alter the evidence's parts, `facts` the certificate's.

    Returns:
        the certificate's path, the bundle's, and the signed certificate.
    """
    keys = keyring(folder)
    keys.make("signer", protected=False)
    thresholds = thresholds or Thresholds()
    report = verdict(measures, thresholds)
    plan = {"thresholds": thresholds.model_dump(mode="json"), "shards": [3]}
    data = {"before": {"client-0": "aa" * 32}, "after": {"client-0": "bb" * 32}}
    parts = {
        "request.json": {"id": REQUEST, "pseudonym": PSEUDONYM, "scope": ["person"]},
        "plan.json": plan,
        "config.json": {"seed": 1, "rounds": 2},
        "participation.jsonl": participation(
            [Round(shard=3, round=k, seed=7, models={a["client"]: a["after"] for a in ADAPTERS}) for k in (1, 2)]
        ),
        "adapters.json": ADAPTERS,
        "data_manifest.json": data,
        "verification.json": report.model_dump(mode="json"),
        "audit.jsonl": _audited(folder / "audit.jsonl", digest(plan), plan_first),
    }
    if change:
        change(parts)
    content = {
        "request": REQUEST,
        "pseudonym": PSEUDONYM,
        "scope": ["person"],
        "method": "shard-retraining",
        "claim": RETRAINED,
        "code_version": "0.1.0",
        "config": digest(parts["config.json"]),
        "seeds": {"run": 1},
        "dataset_before": digest(data["before"]),
        "dataset_after": digest(data["after"]),
        "adapters": ADAPTERS,
        "shards": [3],
        "rounds": 2,
        "clients": ["client-0", "client-1"],
        "withdrawn_seconds": 0.125,
        "restored_seconds": 42.0,
        "verification_report": digest(parts["verification.json"]),
        "verdict": report.verdict,
        "tombstone": "cd" * 32,
        "recipients": [{"name": "client-1", "notified": "2026-01-31"}],
        "exceptions": [{"what": "backups, beyond use", "until": "2026-06-30"}],
        "operators": {"requester": "0" * 16, "approver": "1" * 16},
        "issued_at": "2026-01-31T10:00:00Z",
        "evidence": write_bundle(folder / "evidence", parts),
        "audit_head": parts["audit.jsonl"][-1]["hash"],
        **facts,
    }
    signed = issue(content, keys.key("signer"), previous)
    signed.save(folder / "certificate.json")
    return folder / "certificate.json", folder / "evidence", signed


def trusted(folder):
    """The operators' public keys by key id."""
    keys = keyring(folder)
    return {key_id(public): public for public in (keys.public(path.stem) for path in keys.folder.glob("*.pub"))}


def _audited(path, plan, plan_first):
    log = AuditLog(path)
    log.append("submitted", request=REQUEST, pseudonym=PSEUDONYM)
    steps = [{"state": "planned", "plan": plan}, {"state": "erasing"}]
    for facts in steps if plan_first else reversed(steps):
        log.append("state-changed", request=REQUEST, **facts)
    log.append("submitted", request=REQUEST.replace("1", "9"), pseudonym="ef" * 32)
    log.append("state-changed", request=REQUEST, state="verifying")
    return excerpt(path, REQUEST)
