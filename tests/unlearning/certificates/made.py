"""A whole erasure of one person, made up: facts, evidence and the signed certificate."""

from datetime import date
from hashlib import sha256

from unlearning.audit.canonical import canonical, digest
from unlearning.audit.chain import linked
from unlearning.audit.log import excerpt
from unlearning.certificates.bundle import Round, participation, write_bundle
from unlearning.certificates.certificate import issue
from unlearning.certificates.claims import RETRAINED, approximately
from unlearning.certificates.documents import Beside, Head
from unlearning.certificates.times import BRIDGED, SERVED
from unlearning.operators.keyring import Keyring
from unlearning.operators.keys import ROLES, key_id, write_public
from unlearning.operators.registry import REGISTERED, REVOKED
from unlearning.verification import RETRAINING, BeforeAfter, Measures, Thresholds, verdict

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
FIGURES = BeforeAfter(
    membership_auc=0.71, membership_low=0.6, membership_high=0.8, auc=(0.68, 0.68), erased_loss=(0.41, 0.66),
    unseen_loss=(0.62, 0.63),
)  # fmt: skip
BRIDGE_AT = "10:00:41.500"
HEAD = Head(REQUEST, "Films Ltd, dpo@films.example", date(2026, 1, 12), date(2026, 1, 31))
BESIDE = Beside(verdict(GOOD, Thresholds()), {}, 4)


def keyring(folder):
    """The operators' keys, none of them under a passphrase."""
    return Keyring(folder / "keys", lambda *_: "")


def operators(keys, names, changed):
    """The lines of a log that tell of operators: each may do everything, from the first day of the year on.

    Args:
        changed: by name, other facts: `roles`, `created`, `revoked_at`.
    """
    told = []
    for name in names:
        facts = {"roles": list(ROLES), "created": "2026-01-01T00:00:00.000Z", **changed.get(name, {})}
        who = {"operator": name, "key_id": key_id(keys.make(name, protected=False))}
        told.append((facts["created"], REGISTERED, {**who, "roles": facts["roles"]}))
        if "revoked_at" in facts:
            told.append((facts["revoked_at"], REVOKED, who))
    return linked({"seq": seq, "at": at, "event": event, "facts": facts} for seq, (at, event, facts) in enumerate(told))


def signatures(keys, plan, people, changed):
    """Who asked, approved and planned it: `people` by what they say.

    Args:
        changed: by what is said, other content than that.
    """
    request = {
        "received_at": "2026-01-02T00:00:00+00:00", "recorded_at": "2026-01-02T00:00:00+00:00", "channel": "mail",
        "ground": "17(1)(b)", "pseudonym": PSEUDONYM, "scope": {"conditions": ["person"], "client": None},
        "sealed": "ee" * 32, "requester": people["asked"],
    }  # fmt: skip
    contents = {
        "asked": {**request, "at": "2026-01-02T00:00:01+00:00"},
        "approved": {**request, "identity": "passport", "at": "2026-01-03T00:00:00+00:00"},
        "planned": {"plan": digest(plan), "at": "2026-01-04T00:00:00+00:00"},
    }
    found = {}
    for says, name in people.items():
        content = {"says": says, "request": REQUEST, "operator": name, **contents[says], **changed.get(says, {})}
        public = keys.make(name, protected=False)
        found[says] = {
            "content": content,
            "signature": keys.key(name).sign(canonical(content)).hex(),
            "public_key": write_public(public),
        }
    return found


def approximate(threshold=0.15, **changes):
    """What `made` takes for an approximate certificate, and what is changed of that."""
    far = Thresholds(membership=threshold, membership_end="far")
    answer = {
        "claim": approximately(threshold), "retrained_clients": ["client-0", "client-1"], "rounds": 1,
        "thresholds": far.model_dump(mode="json"),
    }  # fmt: skip
    plan = {"path": "approximate", "thresholds": Thresholds().model_dump(mode="json"), "approximate": answer}
    return {
        "measures": GOOD.model_copy(update={"approximate": FIGURES, "utility": 0.0}), "thresholds": far, "ran": 1,
        "planned": plan, "served": {"method": "approximate"}, "method": "approximate-e2urec",
        "claim": answer["claim"], "not_measured": [RETRAINING], **changes,
    }  # fmt: skip


PEOPLE = {"asked": "ada", "approved": "ben", "planned": "signer"}


def made(
    folder, *, measures=GOOD, thresholds=None, previous=None, change=None, plan_first=True, approved_first=True,
    people=PEOPLE, signed=None, planned=None, served=None, bridged=False, ran=2, **facts,
):  # fmt: skip
    """Write bundle and certificate into a folder; `change` may alter the evidence's parts, `facts` the certificate's.

    Args:
        people: who asked, approved and planned it; `signer` signs the certificate.
        signed: what is changed before it is signed: see `signatures`; and by name what of `operators`.
        planned: what the plan, signed as it is, says otherwise.
        served: what the log tells of how it was served again.
        bridged: whether the log tells of an approximate answer before.
        ran: rounds.

    Returns:
        the certificate's path, the bundle's, and the signed certificate.
    """
    keys = keyring(folder)
    keys.make("signer", protected=False)
    thresholds = thresholds or Thresholds()
    report = verdict(measures, thresholds)
    data = {"before": {"client-0": "aa" * 32, "client-1": "ac" * 32}}
    data["after"] = {**data["before"], "client-0": "bb" * 32}
    data["erasures_after"] = {"client-0": [1, "1a" * 32], "client-1": [1, "1b" * 32]}
    plan = {
        "thresholds": thresholds.model_dump(mode="json"), "shards": [3], "clients": ["client-0"], "rounds": 2,
        "retrained_clients": ["client-0", "client-1"], "claim": RETRAINED, "data_before": data["before"],
        "adapters_before": {each["client"]: [each["before"]] for each in ADAPTERS},
        "exceptions": ["backups, beyond use"], "elsewhere": [], "erasures_before": {}, "follows": None, "changed": {},
        **(planned or {}),
    }  # fmt: skip
    who = signatures(keys, plan, {**PEOPLE, **people}, signed or {})
    known = operators(keys, sorted({"signer", *PEOPLE.values(), *people.values()}), signed or {})
    ids = {line["facts"]["operator"]: line["facts"]["key_id"] for line in known}
    parts = {
        "request.json": {
            "id": REQUEST,
            "pseudonym": PSEUDONYM,
            "received_at": "2026-01-02T00:00:00+00:00",
            "channel": "mail",
            "ground": "17(1)(b)",
        },
        "signatures.json": who,
        "operators.jsonl": known,
        "plan.json": plan,
        "config.json": {"seed": 1, "shards": 4, "rounds": 2},
        "participation.jsonl": participation(
            [
                Round(shard=3, round=k, seed=1, models={a["client"]: a["after"] for a in ADAPTERS})
                for k in range(1, ran + 1)
            ]
        ),
        "adapters.json": ADAPTERS,
        "data_manifest.json": data,
        "verification.json": report.model_dump(mode="json"),
        "audit.jsonl": _audited(
            folder / "audit.jsonl", plan, who["approved"], plan_first, approved_first, served, bridged
        ),
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
        "rounds": ran,
        "clients": ["client-0", "client-1"],
        "withdrawn_seconds": 0.125,
        "restored_seconds": 42.0,
        "verification_report": digest(parts["verification.json"]),
        "verdict": report.verdict,
        "tombstone": REQUEST,
        "recipients": [{"name": f"client-{k}", "notified": "2026-01-31"} for k in range(2)],
        "exceptions": [{"what": "backups, beyond use", "until": "2026-06-30"}],
        "operators": {
            "requester": ids[{**PEOPLE, **people}["asked"]],
            "approver": ids[{**PEOPLE, **people}["approved"]],
        },
        "approval": "four-eyes",
        "issued_at": "2026-01-31T10:01:00Z",
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


def altered(name, key, value):
    """For `made(change=…)`: a file of the evidence with another value."""

    def change(parts):
        parts[name] = {**parts[name], key: value}

    return change


def failed(verdict):
    """Names of the checks that did."""
    return [check.name for check in verdict.checks if not check.ok]


def _audited(path, plan, approval, plan_first, approved_first, served, bridged):
    """The excerpt of a log, written as of the day of the work: out of use after 0.125 s, and back after 42 s."""
    approved = {"signature": sha256(bytes.fromhex(approval["signature"])).hexdigest(), "state": "identified"}
    planned = {"state": "planned", "plan": digest(plan)}
    mine = [
        *([("09:00:00.000", approved)] if approved_first else []),
        *([("09:30:00.000", planned)] if plan_first else []),
        ("10:00:00.000", {"state": "quarantined"}),
        ("10:00:00.125", {"state": "erasing"}),
        *([] if plan_first else [("10:00:00.125", planned)]),
        *([] if approved_first else [("10:00:00.125", approved)]),
    ]
    told = [
        ("08:00:00.000", "submitted", {"request": REQUEST, "pseudonym": PSEUDONYM}),
        *(
            (at, "approved" if "signature" in facts else "state-changed", {"request": REQUEST, **facts})
            for at, facts in mine
        ),
        ("10:00:01.000", "submitted", {"request": REQUEST.replace("1", "9"), "pseudonym": "ef" * 32}),
        ("10:00:41.000", "state-changed", {"request": REQUEST, "state": "verifying"}),
        *([(BRIDGE_AT, BRIDGED, {"request": REQUEST})] if bridged else []),
        ("10:00:42.000", SERVED, {"request": REQUEST, **(served or {})}),
    ]
    lines = linked(
        {"seq": seq, "at": f"2026-01-31T{at}Z", "event": event, "facts": facts}
        for seq, (at, event, facts) in enumerate(told)
    )
    path.write_bytes(b"".join(canonical(line) + b"\n" for line in lines))
    return excerpt(path, REQUEST)
