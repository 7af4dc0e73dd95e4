"""Content sealed under a key: AES-256-GCM, padded, so that its length does not tell the length of a person's id.

sealed = nonce ‖ AES-256-GCM(key, nonce, content ‖ padding, name),   padding by PKCS #7 to a multiple of 255 bytes
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

KEY_BYTES = 32
_NONCE_BYTES = 12
_PADDING = PKCS7(255 * 8)  # the largest that it has


def seal(key: bytes, name: str, content: bytes) -> bytes:
    """The content for whoever has the key, of what is called so."""
    padder, nonce = _PADDING.padder(), secrets.token_bytes(_NONCE_BYTES)
    padded = padder.update(content) + padder.finalize()
    return nonce + AESGCM(key).encrypt(nonce, padded, name.encode())


def unseal(key: bytes, name: str, sealed: bytes) -> bytes:
    """
    Raises:
        ValueError: it is not what was sealed with this key and name.
    """
    try:
        padded = AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())
    except InvalidTag:
        raise ValueError("not what was sealed with this key") from None
    unpadder = _PADDING.unpadder()
    return unpadder.update(padded) + unpadder.finalize()
