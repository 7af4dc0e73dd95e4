"""Who asked, approved, planned and certified is shown, and was there with that role, or verification fails."""

import pytest

from tests.unlearning.certificates.made import BESIDE, REQUEST, altered, failed, made, trusted
from unlearning.certificates.certificate import APPROVALS
from unlearning.certificates.chain import verify_chain
from unlearning.certificates.documents import page
from unlearning.certificates.verify import verify_certificate

REVOKED = {"revoked_at": "2026-01-02T12:00:00Z"}


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"change": altered("signatures.json", "asked", None)}, "asked"),
        ({"change": altered("signatures.json", "approved", None)}, "approved"),
        ({"change": altered("signatures.json", "planned", None)}, "planned"),
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
        ({"change": altered("plan.json", "shards", [])}, "planned"),
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
