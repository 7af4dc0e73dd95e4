"""Masks: numbers modulo 2^64 of a key of 32 bytes, by AES-256 in counter mode."""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from fedrec.secure_aggregation.fixed_point import Vector


def mask(key: bytes, length: int) -> Vector:
    """(length,) for a key that is used once."""
    stream = Cipher(AES(key), CTR(bytes(16))).encryptor().update(bytes(8 * length))
    return np.frombuffer(stream, "<u8").astype(np.uint64)


def signed(one: str, other: str, values: Vector) -> Vector:
    """What `one` adds of the mask between the two: what the other takes away."""
    return values if one < other else np.negative(values)
