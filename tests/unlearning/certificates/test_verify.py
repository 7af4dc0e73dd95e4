"""Verification: what was made holds; any altered byte and any stranger's signature does not."""

import json
import os
import subprocess
import sys

import pytest

from fedrec.errors import FedrecError
from tests.unlearning.certificates.made import PERSON, failed, keyring, made, trusted
from unlearning.audit.canonical import canonical
from unlearning.certificates.bundle import MANIFEST
from unlearning.certificates.certificate import issue
from unlearning.certificates.chain import verify_chain
from unlearning.certificates.verify import verify_certificate


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


def test_needs_nothing_heavy():
    code = (
        "import sys, unlearning.certificates.verify, unlearning.certificates.documents;"
        "print([name for name in ('torch', 'flwr', 'typer', 'pandas', 'transformers', 'ray') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
