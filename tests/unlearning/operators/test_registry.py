"""The operators of a run: roles, revocation, who was in force when, and public keys that are what they were."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from fedrec.errors import FedrecError, UsageError
from unlearning.operators.keyring import Keyring
from unlearning.operators.keys import key_id, read_public
from unlearning.operators.registry import Registry


class Office:
    """A registry, the private keys of its operators elsewhere, and what it told."""

    def __init__(self, folder):
        self.told = []
        self.registry = Registry(folder / "operators", self.hear)
        self.ring = Keyring(folder / "keys", lambda *_: "")

    def hear(self, *change):
        self.told.append(change)
        return datetime.now(UTC)

    def make(self, name, roles=("requester", "approver", "signer")):
        return self.registry.register(name, roles, lambda: self.ring.make(name, protected=False))

    def sign(self, name, message):
        return self.ring.key(name).sign(message)


@pytest.fixture
def office(tmp_path):
    return Office(tmp_path)


def flipped(raw):
    for index in range(len(raw)):
        yield raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1 :]


def test_a_signature_holds_for_its_message_and_its_operator_only(office):
    office.make("ada")
    office.make("bo")
    signature, check = office.sign("ada", b"erase"), office.registry.check
    assert check("ada", b"erase", signature)
    assert not check("ada", b"erasE", signature)
    assert not check("bo", b"erase", signature)
    assert not check("nobody", b"erase", signature)
    assert not any(check("ada", b"erase", other) for other in flipped(signature))
    assert not check("ada", b"erase", b"")


def test_an_unknown_operator_is_told_who_there_is_and_how_to_make_one(office):
    made = "make one with `fedrec forget keys --run RUN --create ben`"
    with pytest.raises(UsageError) as told:
        office.registry.operator("ben")
    assert str(told.value) == f"operator 'ben': unknown, and no operator is registered; {made}"
    office.make("ada")
    with pytest.raises(UsageError) as told:
        office.registry.operator("ben")
    assert str(told.value) == f"operator 'ben': unknown; name one of ada, or {made}"
    office.registry.revoke("ada")
    with pytest.raises(UsageError, match="unknown, and none is in force; make one"):
        office.registry.operator("ben")


def test_no_private_key_is_in_the_registry(office):
    office.make("ada")
    assert not [path for path in office.registry.folder.rglob("*") if b"PRIVATE" in path.read_bytes()]


def test_a_revoked_operator_counts_no_more_but_counted_before(office):
    made = office.make("ada")
    signature = office.sign("ada", b"erase")
    office.registry.revoke("ada")
    since = office.registry.operator("ada").revoked_at
    office.registry.revoke("ada")
    assert office.registry.operator("ada").revoked_at == since
    assert not office.registry.check("ada", b"erase", signature)
    assert office.registry.names() == office.registry.names(at=since) == ()
    before, instant = since - timedelta(microseconds=1), timedelta(microseconds=1)
    assert office.registry.check("ada", b"erase", signature, at=before)
    assert office.registry.names("approver", at=made.created) == ("ada",)
    assert office.registry.names("approver", at=made.created - instant) == ()
    with pytest.raises(UsageError, match="there is one already"):
        office.make("ada")


def test_roles(office):
    office.make("ada", ["requester"])
    office.make("bo", ["approver", "signer"])
    assert office.registry.names() == ("ada", "bo")
    assert office.registry.names("requester") == ("ada",)
    assert office.registry.names("signer") == ("bo",)


def test_every_change_is_told_and_nothing_else(office):
    made = office.make("ada", ["signer"])
    office.registry.names()
    office.registry.revoke("ada")
    office.registry.revoke("ada")
    assert office.told == [
        ("operator-registered", {"operator": "ada", "key_id": made.key_id, "roles": ["signer"]}),
        ("operator-revoked", {"operator": "ada", "key_id": made.key_id}),
    ]


def test_a_change_that_cannot_be_told_does_not_happen(tmp_path):
    def full(*_):
        raise FedrecError("no space left")

    office = Office(tmp_path)
    office.registry = Registry(tmp_path / "operators", full)
    with pytest.raises(FedrecError, match="no space"):
        office.make("ada")
    assert office.registry.operators() == ()


def test_one_key_is_not_two_people(office):
    office.make("ada")
    with pytest.raises(UsageError, match="has the key of 'ada'"):
        office.registry.register("bo", ["approver"], lambda: office.ring.public("ada"))
    assert office.registry.names() == ("ada",)


@pytest.mark.parametrize("name", ["", ".", "../ada", "a/b", "a b", "-a", "a\n", "x" * 65])
def test_a_name_is_a_plain_word(office, name):
    with pytest.raises(UsageError, match="letters, digits"):
        office.make(name)
    assert not office.registry.folder.exists()
    assert not office.ring.folder.exists()


@pytest.mark.parametrize(("roles", "why"), [([], "roles"), (["boss"], "boss")])
def test_wrong_roles_are_refused_before_a_key_is_made(office, roles, why):
    with pytest.raises(UsageError, match=why):
        office.make("ada", roles)
    assert not office.ring.folder.exists()


def test_one_is_registered_on_first_use_only(office):
    ensured = lambda: office.registry.ensure_one("operator", lambda: office.ring.make("operator", protected=False))  # noqa: E731
    assert ensured() == ("operator", True)
    assert ensured() == ("operator", False)
    office.registry.revoke("operator")
    with pytest.raises(FedrecError, match="revoked"):
        ensured()


def test_an_exchanged_public_key_is_noticed(office):
    office.make("ada")
    office.make("bo")
    (office.registry.folder / "ada.pub").write_text(office.registry.export("bo"))
    with pytest.raises(FedrecError, match="not key"):
        office.registry.check("ada", b"erase", office.sign("bo", b"erase"))


def test_anyone_verifies_with_what_is_exported(office):
    made = office.make("ada")
    public = read_public(office.registry.export("ada").encode())
    assert public == office.registry.public("ada")
    assert key_id(public) == made.key_id


def test_a_broken_registry_is_one_line(office):
    office.make("ada")
    (office.registry.folder / "operators.json").write_text('[{"name": 1}]')
    with pytest.raises(FedrecError, match=r"operators\.json") as caught:
        office.registry.names()
    assert "\n" not in str(caught.value)


def test_a_folder_that_others_can_write_is_refused(office):
    office.make("ada")
    office.registry.folder.chmod(0o770)
    with pytest.raises(FedrecError, match="chmod 700"):
        office.make("bo")


def test_registered_at_once_none_is_lost(tmp_path):
    names = [f"ada-{k}" for k in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: Office(tmp_path).make(name), names))
    assert sorted(Office(tmp_path).registry.names()) == names
