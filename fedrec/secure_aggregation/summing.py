"""Who adds up: which participants are neighbours, and the sum without the masks of those that are in it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fedrec.errors import FedrecError
from fedrec.secure_aggregation.agreement import agreed, public_key
from fedrec.secure_aggregation.fixed_point import Vector
from fedrec.secure_aggregation.masks import mask, signed
from fedrec.secure_aggregation.participant import MASK, Keys, threshold_of
from fedrec.secure_aggregation.sharing import joined

DEGREE = 64
"""Neighbours of each; fewer participants are all neighbours of each other (Bell et al. 2020, section 3)."""


def neighbours(names: Sequence[str], sum_: str, degree: int = DEGREE) -> dict[str, list[str]]:
    """By name those next to it in a ring in an order of this sum alone, with itself among them."""
    if len(names) <= degree + 1:
        return {name: sorted(names) for name in names}
    ring = sorted(names, key=lambda name: hashlib.sha256(f"{sum_}|{name}".encode()).digest())
    reach = range(-(degree // 2), degree // 2 + 1)
    return {name: sorted(ring[(place + step) % len(ring)] for step in reach) for place, name in enumerate(ring)}


@dataclass(frozen=True)
class Summing:
    """
    Attributes:
        sum_: which sum it is.
        near: by name its neighbours, with itself among them; of all that announced keys.
        keys: by name.
        sharers: who gave out shares, so that others added masks with it.
    """

    sum_: str
    near: Mapping[str, Sequence[str]]
    keys: Mapping[str, Keys]
    sharers: Collection[str]

    def unmasked(self, parts: Mapping[str, Vector], revealed: Mapping[str, Sequence[bytes]]) -> Vector:
        """(n,) the sum of the parts, n alike.

        Args:
            parts: what came of who is inside.
            revealed: by name of each sharer, the shares that its neighbours gave: of its seed if it is inside, of its
                key if not.

        Raises:
            FedrecError: there are too few shares, or they do not fit what was announced.
        """
        length = len(next(iter(parts.values())))
        total = np.zeros(length, np.uint64)
        for part in parts.values():
            total = total + part
        for name in sorted(self.sharers):
            secret = self._secret(name, revealed.get(name, ()))
            fits = hashlib.sha256(secret).digest() == self.keys[name].seed
            if name not in parts:
                fits = public_key(secret) == self.keys[name].mask
            if not fits:
                raise FedrecError(f"the shares of {name} do not fit together")
            total = total - (mask(secret, length) if name in parts else self._left_by(name, secret, parts, length))
        return total

    def _left_by(self, name: str, private: bytes, parts: Mapping[str, Vector], length: int) -> Vector:
        """What others added of the masks that they have with somebody who dropped out."""
        left = np.zeros(length, np.uint64)
        for other in self.near[name]:
            if other in parts:
                key = agreed(private, self.keys[other].mask, f"{MASK}|{self.sum_}")
                left = left + signed(other, name, mask(key, length))
        return left

    def _secret(self, name: str, shares: Sequence[bytes]) -> bytes:
        needed = threshold_of(len(self.near[name]))
        if len(shares) < needed:
            raise FedrecError(f"{len(shares)} neighbours give shares of {name}, {needed} needed")
        try:
            return joined(shares[:needed])
        except ValueError as error:
            raise FedrecError(f"{name}: {error}") from None
