"""Private keys: under a passphrase, in a folder and files that nobody else can read, opened once."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from fedrec.errors import FedrecError
from unlearning.operators.keyring import Keyring
from unlearning.operators.keys import verify


class Asked:
    """A passphrase, and how often it was asked for."""

    def __init__(self, answer="correct horse"):
        self.answer, self.times = answer, []

    def __call__(self, path, new):
        self.times.append((path.name, new))
        return self.answer


@pytest.fixture
def ring(tmp_path):
    return Keyring(tmp_path / "keys", Asked())


def test_a_key_is_under_its_passphrase_and_opened_once(ring):
    public = ring.make("ada")
    assert b"ENCRYPTED" in ring.path("ada").read_bytes()
    assert verify(public, b"erase", ring.key("ada").sign(b"erase"))
    assert ring.key("ada") is ring.key("ada")
    again = Asked()
    assert verify(public, b"erase", Keyring(ring.folder, again).key("ada").sign(b"erase"))
    assert again.times == [("ada.key", False)]


def test_a_wrong_passphrase_opens_nothing(ring):
    ring.make("ada")
    with pytest.raises(FedrecError, match=r"ada\.key: the passphrase is wrong"):
        Keyring(ring.folder, Asked("wrong")).key("ada")


def test_without_a_passphrase_only_where_its_owner_says_so(tmp_path):
    nothing = Keyring(tmp_path / "keys", Asked(""))
    with pytest.raises(FedrecError, match="empty"):
        nothing.make("ada")
    assert not nothing.path("ada").exists()
    assert verify(nothing.make("ada", protected=False), b"erase", nothing.key("ada").sign(b"erase"))
    assert nothing._ask.times == [("ada.key", True)]  # an open key is opened without a question


def test_the_key_that_is_there_is_kept(ring):
    public = ring.make("ada")
    assert Keyring(ring.folder, Asked("another")).make("ada") == public


def test_files_are_private_and_hold_no_secret_twice(ring):
    ring.make("ada", protected=False)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in ring.folder.iterdir()}
    assert modes["ada.key"] == 0o600
    assert stat.S_IMODE(ring.folder.stat().st_mode) == 0o700
    assert [path.name for path in ring.folder.rglob("*") if b"PRIVATE" in path.read_bytes()] == ["ada.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(ring, mode):
    ring.make("ada")
    ring.path("ada").chmod(mode)
    with pytest.raises(FedrecError, match=r"chmod 600 .*ada\.key$"):
        ring.key("ada")


def test_a_folder_that_others_can_write_is_refused(ring):
    ring.make("ada")
    ring.folder.chmod(0o770)
    with pytest.raises(FedrecError, match="chmod 700"):
        ring.make("bo")


def test_a_missing_or_broken_key_is_one_line(ring):
    with pytest.raises(FedrecError, match=r"ada\.key: the private key is not here"):
        ring.key("ada")
    ring.make("ada")
    for broken in ("ada.key", "ada.pub"):
        (ring.folder / broken).write_text("[]")
        with pytest.raises(FedrecError, match=broken) as caught:
            (ring.key if broken == "ada.key" else ring.public)("ada")
        assert "\n" not in str(caught.value)


def test_made_at_once_it_is_one_key(ring):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: Keyring(ring.folder, Asked()).make("ada"), range(8)))
    assert len(set(made)) == 1
    assert ring.key("ada").public_key().public_bytes_raw() == made[0]
