"""Verification: what was made holds; any altered byte, any exchanged part and any stronger claim does not."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from fedrec.errors import FedrecError
from tests.unlearning.certificates.made import ADAPTERS, BESIDE, GOOD, HEAD, PERSON, REQUEST, keyring, made, trusted
from unlearning.audit.canonical import canonical, digest
from unlearning.certificates.bundle import MANIFEST, write_bundle
from unlearning.certificates.certificate import APPROVALS, NOT_MEASURED, approximately, issue
from unlearning.certificates.chain import verify_chain
from unlearning.certificates.documents import page, reply
from unlearning.certificates.verify import verify_certificate
from unlearning.verification import Thresholds
from unlearning.verification import verdict as judged


def failed(verdict):
    return [check.name for check in verdict.checks if not check.ok]


def test_what_was_made_holds(tmp_path):
    path, bundle, signed = made(tmp_path)
    verdict = verify_certificate(path, bundle=bundle, trusted=trusted(tmp_path))
    assert verdict.ok and verdict.intact and verdict.signer == "trusted"
    assert verdict.unchecked == ()
    assert path.read_bytes() == signed.as_bytes()


def test_what_could_not_be_checked_is_said(tmp_path):
    path, _, _ = made(tmp_path, previous="00" * 32)
    verdict = verify_certificate(path)
    assert verdict.intact and verdict.signer == "unknown"
    assert [what.split(":")[0] for what in verdict.unchecked] == ["who signed", "the chain", "the evidence"]


def test_every_flipped_byte_of_the_certificate_fails(tmp_path):
    path, _, _ = made(tmp_path)
    raw, keys = path.read_bytes(), trusted(tmp_path)
    for index in range(len(raw)):
        path.write_bytes(raw[:index] + bytes([raw[index] ^ 1 << index % 8]) + raw[index + 1 :])
        assert not verify_certificate(path).intact, index
    for other in (raw + b"\n", b" " + raw, raw[:-1], b"", raw.replace(b":", b": ", 1)):
        path.write_bytes(other)
        assert not verify_certificate(path, trusted=keys).intact


def test_flipped_bytes_of_the_evidence_fail(tmp_path):
    path, bundle, _ = made(tmp_path)
    for file in sorted(bundle.iterdir()):
        raw = file.read_bytes()
        for index in {*range(0, len(raw), 5), len(raw) - 1}:
            file.write_bytes(raw[:index] + bytes([raw[index] ^ 1 << index % 8]) + raw[index + 1 :])
            assert not verify_certificate(path, bundle=bundle).intact, (file.name, index)
        file.write_bytes(raw)
    assert verify_certificate(path, bundle=bundle).intact


def test_a_file_too_few_or_too_many_fails(tmp_path):
    path, bundle, _ = made(tmp_path)
    (bundle / "more.json").write_text("{}")
    assert failed(verify_certificate(path, bundle=bundle)) == ["evidence files"]
    (bundle / "more.json").unlink()
    for name in ("plan.json", MANIFEST):
        raw = (bundle / name).read_bytes()
        (bundle / name).unlink()
        assert failed(verify_certificate(path, bundle=bundle)) == ["evidence files"]
        (bundle / name).write_bytes(raw)


@pytest.mark.parametrize("name", [MANIFEST, "plan.json"])
def test_a_file_that_cannot_be_read_fails_in_one_line(tmp_path, name):
    path, bundle, _ = made(tmp_path)
    (bundle / name).unlink()
    (bundle / name).symlink_to("/proc/self/mem")  # whose reading fails
    (fault,) = [check for check in verify_certificate(path, bundle=bundle).checks if not check.ok]
    assert fault.name == "evidence files" and f"{name} cannot be read (" in fault.why
    (bundle / name).unlink()
    os.mkfifo(bundle / name)  # whose reading would wait for ever
    assert failed(verify_certificate(path, bundle=bundle)) == ["evidence files"]
    assert failed(verify_certificate(path, bundle=path)) == ["evidence files"]


def test_another_signer_is_not_trusted(tmp_path):
    path, bundle, _ = made(tmp_path / "one")
    made(tmp_path / "two")
    assert failed(verify_certificate(path, bundle=bundle, trusted=trusted(tmp_path / "two"))) == ["signer"]
    mixed = dict(zip(trusted(tmp_path / "one"), trusted(tmp_path / "two").values(), strict=True))
    assert failed(verify_certificate(path, bundle=bundle, trusted=mixed)) == ["signer"]


def test_what_anybody_signed_is_never_ok(tmp_path):
    """A certificate that a stranger made up has nothing wrong in it."""
    path, bundle, _ = made(tmp_path / "chain" / "made")
    alone = verify_certificate(path, bundle=bundle)
    (tmp_path / "certificates").mkdir()
    (tmp_path / "certificates" / "one.json").write_bytes(path.read_bytes())
    row = verify_chain(tmp_path / "certificates")
    for verdict in (alone, row):
        assert verdict.intact and not verdict.ok and verdict.signer == "unknown"
    made(tmp_path / "two")
    for trust, signer in ((trusted(tmp_path / "two"), "untrusted"), ({}, "untrusted")):
        for verdict in (
            verify_certificate(path, bundle=bundle, trusted=trust),
            verify_chain(tmp_path / "certificates", trusted=trust),
        ):
            assert not verdict.ok and not verdict.intact and verdict.signer == signer
    mine = trusted(tmp_path / "chain" / "made")
    assert verify_chain(tmp_path / "certificates", trusted=mine).ok
    assert verify_certificate(path, trusted={**mine, **trusted(tmp_path / "two")}).ok


def test_the_signature_cannot_be_spelled_otherwise(tmp_path):
    """The last digit of base64 has bits that mean nothing: changing them must fail too."""
    path, _, signed = made(tmp_path)
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = digits[digits.index(signed.signature[-3]) ^ 1]
    content = {**json.loads(path.read_bytes()), "signature": f"{signed.signature[:-3]}{last}=="}
    path.write_bytes(canonical(content))
    assert failed(verify_certificate(path)) == ["signature"]


def _change(name, key, value):
    def change(parts):
        parts[name] = {**parts[name], key: value}

    return change


def _last_round_gone(parts):
    parts["participation.jsonl"] = parts["participation.jsonl"][:-1]


def _first_round_gone(parts):
    parts["participation.jsonl"] = parts["participation.jsonl"][1:]


@pytest.mark.parametrize(
    "options, name",
    [
        ({"change": _change("request.json", "id", "other")}, "request"),
        ({"change": _change("request.json", "pseudonym", 7)}, "request"),
        ({"signed": {"asked": {"scope": {"conditions": ["person", "dates"], "client": None}}}}, "scope"),
        ({"scope": ["person", "client"], "client": "client-0"}, "scope"),
        ({"change": _change("plan.json", "clients", [])}, "scope"),  # where nothing was found, nothing was retrained
        ({"config": "00" * 32}, "configuration"),
        ({"dataset_after": "00" * 32}, "data"),
        ({"adapters": []}, "adapters"),
        ({"change": _last_round_gone}, "participation"),
        ({"change": _first_round_gone}, "participation"),
        ({"clients": ["client-0"]}, "participation"),
        ({"rounds": 3}, "participation"),
        ({"change": _change("verification.json", "verdict", "FAIL")}, "verification"),
        ({"change": _change("verification.json", "distances", [])}, "verification"),
        ({"verification_report": "00" * 32}, "verification"),
        ({"unequal_adapters": 0}, "verification"),  # though there was no second training
        ({"claim": approximately(0.1)}, "verification"),  # though only the near end of the interval is that close
        ({"change": _change("plan.json", "thresholds", {"membership": 1})}, "verification"),
        ({"audit_head": "00" * 32}, "audit log"),
        ({"plan_first": False}, "plan"),
        ({"withdrawn_seconds": 0.001}, "times"),
        ({"restored_seconds": 41.0}, "times"),
        ({"restored_seconds": None}, "times"),
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


REVOKED = {"revoked_at": "2026-01-02T12:00:00Z"}


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"change": _change("signatures.json", "asked", None)}, "asked"),
        ({"change": _change("signatures.json", "approved", None)}, "approved"),
        ({"change": _change("signatures.json", "planned", None)}, "planned"),
        ({"signed": {"asked": {"pseudonym": "cd" * 32}}}, "asked"),
        ({"signed": {"asked": {"ground": "17(1)(f)"}}}, "asked"),
        ({"signed": {"asked": {"request": REQUEST.replace("1", "9")}}}, "asked"),
        ({"signed": {"asked": {"says": "approved"}}}, "asked"),
        ({"signed": {"asked": {"requester": "max"}}}, "asked"),
        ({"signed": {"approved": {"requester": "max"}}}, "approved"),
        ({"signed": {"approved": {"sealed": "dd" * 32}}}, "approved"),
        ({"signed": {"approved": {"scope": {"kind": "client"}}}}, "approved"),
        ({"signed": {"approved": {"operator": "ada"}}}, "approved"),
        ({"signed": {"ben": {"roles": ["requester"]}}}, "approved"),
        ({"signed": {"ben": REVOKED}}, "approved"),  # before the approval
        ({"signed": {"ada": {"created": "2026-01-05T00:00:00Z"}}}, "asked"),  # after it was asked
        ({"signed": {"planned": {"plan": "00" * 32}}}, "planned"),
        ({"signed": {"planned": {"at": "2026-01-02T12:00:00+00:00"}}}, "planned"),  # before the approval
        ({"signed": {"signer": {"roles": ["approver"]}}}, "planned"),
        ({"change": _change("plan.json", "shards", [])}, "planned"),
        ({"approved_first": False}, "approved"),
        ({"operators": {"requester": "0" * 16, "approver": "1" * 16}}, "asked"),
        ({"operators": {"requester": "0" * 16, "approver": "1" * 16}}, "approved"),
        ({"people": {"approved": "ada"}}, "approved"),  # though it says four eyes
        ({"people": {"asked": "signer", "approved": "signer"}}, "approved"),
        ({"signed": {"ben": {"created": "2026-01-02T12:00:00Z"}}}, "approved"),  # after the request came
    ],
)
def test_who_asked_approved_and_planned_is_shown_or_it_fails(tmp_path, options, name):
    path, bundle, _ = made(tmp_path, **options)
    assert name in failed(verify_certificate(path, bundle=bundle, trusted=trusted(tmp_path)))


def _line_altered(parts):
    (first, *others) = parts["operators.jsonl"]
    parts["operators.jsonl"] = [{**first, "at": "2025-01-01T00:00:00.000Z"}, *others]


@pytest.mark.parametrize(
    "options",
    [
        {"signed": {"signer": {"roles": ["requester", "approver"]}}},
        {"signed": {"signer": {"revoked_at": "2026-01-31T10:00:59.000Z"}}},  # before it was issued
        {"signed": {"signer": {"created": "2026-02-01T00:00:00.000Z"}}},
        {"change": _line_altered},
        {"change": lambda parts: parts.update({"operators.jsonl": parts["operators.jsonl"][:-1]})},
        {"change": lambda parts: parts.update({"operators.jsonl": parts["operators.jsonl"][::-1]})},
    ],
)
def test_who_signs_was_a_signer_when_it_was_issued(tmp_path, options):
    """A trusted key of any other role certifies nothing."""
    path, bundle, _ = made(tmp_path, **options)
    assert "who certifies" in failed(verify_certificate(path, bundle=bundle, trusted=trusted(tmp_path)))


@pytest.mark.parametrize(
    ("options", "approval"),
    [
        ({}, "four-eyes"),
        ({"signed": {"ben": {"created": "2026-01-02T12:00:00Z"}}}, "late-key"),
        ({"people": {"approved": "ada"}}, "self-approved"),
        ({"people": {"asked": "signer", "approved": "signer"}}, "one-key"),
        ({"people": {"approved": "signer"}}, "four-eyes"),
    ],
)
def test_how_many_people_stand_behind_it_is_said(tmp_path, options, approval):
    path, bundle, signed = made(tmp_path, approval=approval, **options)
    verdict = verify_certificate(path, bundle=bundle, trusted=trusted(tmp_path))
    assert verdict.ok, failed(verdict)
    said = [what for what in verdict.warnings if what.startswith("a second person")]
    assert len(said) == (approval != "four-eyes")
    assert f"{'yes' if approval == 'four-eyes' else 'no'}, {APPROVALS[approval]}" in page(signed, BESIDE)
    assert verdict.unchecked == ()
    assert "four eyes" not in page(signed, BESIDE) or approval == "four-eyes"


def test_who_is_not_among_the_trusted_is_said(tmp_path):
    path, bundle, signed = made(tmp_path)
    signer = {signed.key_id: trusted(tmp_path)[signed.key_id]}
    verdict = verify_certificate(path, bundle=bundle, trusted=signer)
    assert verdict.ok
    assert [what.split(":")[0] for what in verdict.unchecked] == ["who asked", "who approved"]
    chain = verify_chain(path.parent, bundles=bundle.parent, trusted=signer)
    said = {f"{path.name}: {what}" for what in verdict.unchecked if what.startswith("who ")}
    assert said <= set(chain.unchecked)


@pytest.mark.parametrize("auc, why", [(0.05, "over-forgotten"), (0.95, "still remembered")])
def test_over_forgotten_and_still_remembered_fail(tmp_path, auc, why):
    measures = GOOD.model_copy(
        update={"membership_auc": auc, "membership_low": auc - 0.04, "membership_high": auc + 0.04}
    )
    path, bundle, signed = made(tmp_path, measures=measures)
    verdict = verify_certificate(path, bundle=bundle)
    assert signed.certificate.verdict == "FAIL"
    assert failed(verdict) == ["verdict", "verification"]
    assert why in next(check.why for check in verdict.checks if check.name == "verification")


def test_an_approximate_claim_needs_the_whole_interval(tmp_path):
    thresholds = Thresholds(membership=0.15, membership_end="far")
    path, bundle, _ = made(tmp_path, thresholds=thresholds, claim=approximately(0.15), rounds=2)
    assert verify_certificate(path, bundle=bundle).intact
    path, bundle, _ = made(tmp_path, thresholds=thresholds, claim=approximately(0.12))
    assert failed(verify_certificate(path, bundle=bundle)) == ["verification"]


def chain(folder, length):
    folder.mkdir()
    previous, paths = None, []
    for k in range(length):
        _, _, signed = made(folder / f"made-{k}", previous=previous)
        paths.append(folder / f"{k}.json")
        signed.save(paths[-1])
        previous = signed.digest
    return paths


def test_a_chain(tmp_path):
    paths = chain(tmp_path / "chain", 3)
    assert verify_chain(paths[0].parent).intact
    assert verify_certificate(paths[1], previous=paths[0]).intact
    assert failed(verify_certificate(paths[2], previous=paths[0])) == ["previous certificate"]
    raw = [path.read_bytes() for path in paths]
    for k in (0, 1):
        paths[k].unlink()
        assert not verify_chain(paths[0].parent).intact, k
        paths[k].write_bytes(raw[k])
    paths[0].write_bytes(raw[0].replace(b"client-0", b"client-2"))
    assert not verify_chain(paths[0].parent).intact


def test_a_fork_is_no_chain(tmp_path):
    paths = chain(tmp_path / "chain", 1)
    _, _, signed = made(tmp_path / "other")
    signed.save(paths[0].parent / "other.json")
    assert failed(verify_chain(paths[0].parent)) == ["other.json: chain"]


def test_a_certificate_under_a_second_name_is_no_second_one(tmp_path):
    paths = chain(tmp_path / "chain", 2)
    (paths[0].parent / "copy.json").write_bytes(paths[1].read_bytes())
    (fault,) = [check for check in verify_chain(paths[0].parent).checks if not check.ok]
    assert fault.name == "copy.json: chain" and "1.json under a second name" in fault.why


def test_nothing_there_is_one_line(tmp_path):
    with pytest.raises(FedrecError, match="cannot be read"):
        verify_certificate(tmp_path / "none.json")
    with pytest.raises(FedrecError, match="no certificate there"):
        verify_chain(tmp_path)


def test_the_same_facts_give_the_same_bytes(tmp_path):
    path, _, first = made(tmp_path)
    facts = first.certificate.model_dump(mode="json", exclude={"previous"})
    assert issue(facts, keyring(tmp_path).key("signer"), None).as_bytes() == path.read_bytes()


def test_a_wrong_fact_is_refused_without_repeating_it(tmp_path):
    for wrong in ({"pseudonym": PERSON}, {"request": PERSON}, {"claim": "forgotten"}, {"person": PERSON}):
        with pytest.raises(ValueError, match=next(iter(wrong))) as caught:
            made(tmp_path, **wrong)
        assert PERSON not in str(caught.value)


@pytest.mark.parametrize("name", ["../x.json", "/x.json", "a/b.json", ".json", "x.txt", "X.json", MANIFEST, "x.json\n"])
def test_a_bundle_holds_plain_files_only(tmp_path, name):
    with pytest.raises(ValueError, match="plain name"):
        write_bundle(tmp_path / "evidence", {name: {}})
    assert not (tmp_path / "evidence").exists()


def test_a_bundle_is_complete(tmp_path):
    with pytest.raises(ValueError, match=r"adapters\.json"):
        write_bundle(tmp_path / "evidence", {"plan.json": {}})


def test_no_file_names_the_person(tmp_path):
    made(tmp_path)
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not any(PERSON.encode() in raw or b"reader" in raw for raw in files)
    assert any(REQUEST.encode() in raw for raw in files)


def test_needs_nothing_heavy():
    code = (
        "import sys, unlearning.certificates.verify, unlearning.certificates.documents;"
        "print([name for name in ('torch', 'flwr', 'typer', 'pandas', 'transformers', 'ray') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_how_sure_the_figures_are_is_told_and_so_is_that_few_rows_show_nothing(tmp_path):
    few = GOOD.model_copy(update={"utility": 0.0, "utility_low": -0.35, "utility_high": 0.35, "membership_low": 0.2})
    path, bundle, signed = made(tmp_path, measures=few)
    (told,) = [check.why for check in verify_certificate(path, bundle=bundle).checks if check.name == "verification"]
    assert "95 % interval 0.200 to 0.630" in told and "an interval of ±0.21 cannot show 0.1" in told
    assert "95 % interval -0.350 to +0.350" in told and "an interval of ±0.35 cannot show 0.05" in told
    html = page(signed, replace(BESIDE, report=judged(few, Thresholds())))
    assert "interval of ±0.21 cannot show 0.1" in html and "interval of ±0.35 cannot show 0.05" in html
    many = GOOD.model_copy(update={"utility": 0.0, "utility_low": -0.01, "utility_high": 0.01, "membership_low": 0.5})
    assert "cannot show" not in " ".join(each.why for each in judged(many, Thresholds()).distances)


UNMEASURED = GOOD.model_copy(update={"membership_auc": None, "membership_low": None, "membership_high": None})


def test_what_nobody_could_measure_is_said_everywhere(tmp_path):
    path, bundle, signed = made(tmp_path, measures=UNMEASURED, not_measured=["membership inference"])
    found = verify_certificate(path, bundle=bundle, trusted=trusted(tmp_path))
    assert found.ok and [warning.split(":")[0] for warning in found.warnings] == ["membership inference"]
    assert NOT_MEASURED in page(signed, BESIDE) and "not shown" in page(signed, BESIDE)
    assert "There was too little to test" in reply(signed, HEAD)


@pytest.mark.parametrize(
    "options",
    [{"measures": UNMEASURED}, {"not_measured": ["membership inference"]}, {"not_measured": ["utility lost"]}],
)
def test_it_is_named_where_it_is_so_and_nowhere_else(tmp_path, options):
    path, bundle, _ = made(tmp_path, **options)
    assert failed(verify_certificate(path, bundle=bundle, trusted=trusted(tmp_path))) == ["verification"]
