"""Shamir's secret sharing over GF(2^128), as PyCryptodome has it: any `threshold` shares give a secret, fewer nothing.

Flower's own is the same with padding; its generator of masks is not used: it has a seed of 32 bits.
"""

from __future__ import annotations

from collections.abc import Sequence

from Crypto.Protocol.SecretSharing import Shamir

_BLOCK, _BLOCKS = 16, 2


def shared(secret: bytes, threshold: int, count: int) -> list[bytes]:
    """Shares of a secret of 32 bytes, 34 bytes each."""
    parts = [Shamir.split(threshold, count, secret[low : low + _BLOCK], False) for low in range(0, len(secret), _BLOCK)]
    return [index.to_bytes(2, "big") + first + parts[1][place][1] for place, (index, first) in enumerate(parts[0])]


def joined(shares: Sequence[bytes]) -> bytes:
    """The secret of `threshold` shares or more; other 32 bytes of shares that do not belong together.

    Raises:
        ValueError: they are no shares.
    """
    if any(len(share) != 2 + _BLOCK * _BLOCKS for share in shares) or len({share[:2] for share in shares}) < len(
        shares
    ):
        raise ValueError("these are no shares of one secret")
    places = [(int.from_bytes(share[:2], "big"), share[2:]) for share in shares]
    return b"".join(
        Shamir.combine([(place, share[low : low + _BLOCK]) for place, share in places], False)
        for low in range(0, _BLOCK * _BLOCKS, _BLOCK)
    )
