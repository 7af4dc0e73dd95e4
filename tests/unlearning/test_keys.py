"""Operator keys: signatures that hold, roles, revocation, and files that nobody else can read."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from fedrec.errors import FedrecError, UsageError
from unlearning.keys import OperatorKeys, key_id, read_public, verify


@pytest.fixture
def keys(tmp_path):
    return OperatorKeys(tmp_path / "keys")


def flipped(raw):
    for index in range(len(raw)):
        yield raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1 :]


def test_a_signature_holds_for_its_message_and_its_operator_only(keys):
    keys.create("ada")
    keys.create("bo")
    signature = keys.sign("ada", b"erase")
    assert keys.check("ada", b"erase", signature)
    assert not keys.check("ada", b"erasE", signature)
    assert not keys.check("bo", b"erase", signature)
    assert not keys.check("nobody", b"erase", signature)
    assert not any(keys.check("ada", b"erase", other) for other in flipped(signature))
    assert not keys.check("ada", b"erase", b"")


def test_anyone_verifies_with_what_is_exported(keys):
    made = keys.create("ada")
    public = read_public(keys.export("ada").encode())
    assert public == keys.public("ada")
    assert key_id(public) == made.key_id
    assert verify(public, b"erase", keys.sign("ada", b"erase"))
    assert not verify(b"short", b"erase", keys.sign("ada", b"erase"))


def test_a_revoked_operator_counts_no_more_and_stays_known(keys):
    keys.create("ada")
    signature = keys.sign("ada", b"erase")
    keys.revoke("ada")
    since = keys.operator("ada").revoked_at
    keys.revoke("ada")
    assert keys.operator("ada").revoked_at == since
    assert not keys.check("ada", b"erase", signature)
    assert keys.names() == ()
    assert verify(keys.public("ada"), b"erase", signature)
    with pytest.raises(FedrecError, match="revoked"):
        keys.sign("ada", b"erase")
    with pytest.raises(UsageError, match="there is one already"):
        keys.create("ada")


def test_roles(keys):
    keys.create("ada", ["requester"])
    keys.create("bo", ["approver", "signer"])
    assert keys.names() == ("ada", "bo")
    assert keys.names("requester") == ("ada",)
    assert keys.names("signer") == ("bo",)


def test_files_are_private_and_hold_no_secret_twice(keys, tmp_path):
    keys.create("ada")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in keys.folder.iterdir()}
    assert modes["ada.key"] == 0o600
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700
    assert [path.name for path in keys.folder.rglob("*") if b"PRIVATE" in path.read_bytes()] == ["ada.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(keys, mode):
    keys.create("ada")
    (keys.folder / "ada.key").chmod(mode)
    with pytest.raises(FedrecError, match=r"chmod 600 .*ada\.key$"):
        keys.sign("ada", b"erase")


def test_a_folder_that_others_can_write_is_refused(keys):
    keys.create("ada")
    keys.folder.chmod(0o770)
    with pytest.raises(FedrecError, match="chmod 700"):
        keys.create("bo")


def test_a_passphrase(keys):
    keys.create("ada", passphrase="correct horse")
    keys.create("bo")
    assert keys.check("ada", b"erase", keys.sign("ada", b"erase", "correct horse"))
    assert b"ENCRYPTED" in (keys.folder / "ada.key").read_bytes()
    for name, passphrase, why in (("ada", "wrong", "wrong"), ("ada", None, "give it"), ("bo", "any", "leave it out")):
        with pytest.raises(FedrecError, match=why) as caught:
            keys.sign(name, b"erase", passphrase)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", ".", "../ada", "a/b", "a b", "-a", "a\n", "x" * 65])
def test_a_name_is_a_plain_word(keys, name):
    with pytest.raises(UsageError, match="letters, digits"):
        keys.create(name)
    assert not keys.folder.exists()


@pytest.mark.parametrize(
    "roles, passphrase, why", [([], None, "roles"), (["boss"], None, "boss"), (["signer"], "", "empty")]
)
def test_wrong_use_is_refused(keys, roles, passphrase, why):
    with pytest.raises(UsageError, match=why):
        keys.create("ada", roles, passphrase)


def test_one_is_made_on_first_use_only(keys):
    assert keys.ensure_one() == ("operator", True)
    assert keys.ensure_one() == ("operator", False)
    keys.revoke("operator")
    with pytest.raises(FedrecError, match="revoked"):
        keys.ensure_one()


def test_an_exchanged_public_key_is_noticed(keys):
    keys.create("ada")
    keys.create("bo")
    (keys.folder / "ada.pub").write_text(keys.export("bo"))
    with pytest.raises(FedrecError, match="not key"):
        keys.check("ada", b"erase", keys.sign("bo", b"erase"))


def test_a_broken_file_is_one_line(keys):
    keys.create("ada")
    for name, use in (("ada.key", keys.sign), ("operators.json", keys.sign)):
        (keys.folder / name).write_text('[{"name": 1}]')
        (keys.folder / name).chmod(0o600)
        with pytest.raises(FedrecError) as caught:
            use("ada", b"erase")
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_made_at_once_none_is_lost(keys):
    names = [f"ada-{k}" for k in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: OperatorKeys(keys.folder).create(name), names))
    assert sorted(keys.names()) == names
