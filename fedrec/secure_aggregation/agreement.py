"""Keys that two agree on in front of a third (X25519, HKDF-SHA256), and what they tell each other past it (AES-GCM)."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12


def private_key() -> bytes:
    """32 bytes."""
    return X25519PrivateKey.generate().private_bytes_raw()


def public_key(private: bytes) -> bytes:
    """32 bytes."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def agreed(private: bytes, public: bytes, purpose: str) -> bytes:
    """32 bytes that only the owners of the two private keys know.

    Raises:
        ValueError: the other's public key is none.
    """
    shared = X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))
    return HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(shared)


def sealed(key: bytes, said: bytes, context: str) -> bytes:
    """What only who has the key can read, in this context alone."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, said, context.encode())


def opened(key: bytes, box: bytes, context: str) -> bytes:
    """
    Raises:
        ValueError: it was sealed under another key or in another context, or altered.
    """
    try:
        return AESGCM(key).decrypt(box[:_NONCE], box[_NONCE:], context.encode())
    except InvalidTag:
        raise ValueError("a sealed share cannot be opened: it was altered, or is for somebody else") from None
