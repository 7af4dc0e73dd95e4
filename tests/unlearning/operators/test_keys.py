"""Keys as PEM: one, several in one file, and what is none."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from unlearning.operators.keys import key_id, read_public, read_publics, verify, write_public

KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(3)]
PUBLIC = [key.public_key().public_bytes_raw() for key in KEYS]
PRIVATE = (
    KEYS[0]
    .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    .decode()
)
OTHER_KIND = generate_private_key(SECP256R1()).public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
).decode()  # fmt: skip


def test_a_key_as_pem_comes_back():
    for public in PUBLIC:
        assert read_public(write_public(public).encode()) == public
    assert len({key_id(public) for public in PUBLIC}) == len(PUBLIC)


def test_a_signature_is_verified_with_the_public_key_alone():
    signature = KEYS[0].sign(b"erase")
    assert verify(PUBLIC[0], b"erase", signature)
    assert not verify(PUBLIC[1], b"erase", signature)
    assert not verify(PUBLIC[0], b"erasE", signature)
    assert not verify(b"short", b"erase", signature)


def test_a_file_of_several_keys_is_read_whole():
    pems = [write_public(public) for public in PUBLIC]
    assert read_publics("".join(pems).encode()) == PUBLIC
    assert read_publics(("anna's key\n" + pems[0] + "\nand ben's\n" + pems[1]).encode()) == PUBLIC[:2]
    assert read_publics(pems[2].replace("\n", "\r\n").encode()) == PUBLIC[2:]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no public key in PEM"),
        ("anna", "no public key in PEM"),
        (write_public(PUBLIC[0]) + OTHER_KIND, "block 2 of 2"),
        (PRIVATE + write_public(PUBLIC[0]), "block 1 of 2"),
        (write_public(PUBLIC[0]) + write_public(PUBLIC[1])[:-20], "no whole public key"),
        (write_public(PUBLIC[0])[:-20] + write_public(PUBLIC[1]), "no whole public key"),
    ],
)
def test_a_file_with_anything_else_is_refused_whole(text, why):
    with pytest.raises(ValueError, match=why):
        read_publics(text.encode())
