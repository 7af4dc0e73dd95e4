"""Who has a part of a sum: keys, shares of them for the neighbours, a masked part, and shares that undo masks.

All of it is of one sum: `Secrets` are made anew for each, and what was answered once is never answered otherwise.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from fedrec.errors import FedrecError
from fedrec.secure_aggregation import FEWEST
from fedrec.secure_aggregation.agreement import agreed, opened, private_key, public_key, sealed
from fedrec.secure_aggregation.fixed_point import Vector
from fedrec.secure_aggregation.masks import mask, signed
from fedrec.secure_aggregation.sharing import shared

SHARE, MASK = "share", "mask"
"""What two agree on keys for."""
OF_ONE = 34
"""Bytes of a share."""


@dataclass(frozen=True)
class Keys:
    """What everybody may know of a participant: public keys for shares and for masks, and the hash of its own seed."""

    share: bytes
    mask: bytes
    seed: bytes


@dataclass(frozen=True)
class Secrets:
    """Private keys for shares and for masks with others, and the seed of the participant's own mask."""

    share: bytes
    mask: bytes
    seed: bytes

    @classmethod
    def new(cls) -> Self:
        return cls(private_key(), private_key(), os.urandom(32))

    def keys(self) -> Keys:
        return Keys(public_key(self.share), public_key(self.mask), hashlib.sha256(self.seed).digest())


@dataclass(frozen=True)
class Participant:
    """
    Attributes:
        sum_: which sum it is, so that nothing of one counts in another.
        neighbours: with itself among them.
    """

    sum_: str
    me: str
    secrets: Secrets
    neighbours: Mapping[str, Keys]

    def __post_init__(self) -> None:
        if self.neighbours.get(self.me) != self.secrets.keys() or len(self.neighbours) < FEWEST:
            raise FedrecError(f"{self.me} takes no part in a sum of fewer than {FEWEST}, or one that it is not in")
        others = [keys.mask for keys in self.neighbours.values()]
        if len({*others}) < len(others):
            raise FedrecError(f"{self.me} takes no part in a sum in which two have one key")

    @property
    def threshold(self) -> int:
        return threshold_of(len(self.neighbours))

    def shares(self) -> dict[str, bytes]:
        """By neighbour, what it alone can open: its shares of both secrets."""
        names, count = sorted(self.neighbours), len(self.neighbours)
        of_mask, of_seed = (shared(each, self.threshold, count) for each in (self.secrets.mask, self.secrets.seed))
        return {
            name: sealed(self._key(name), of_mask[place] + of_seed[place], f"{self.sum_}|{self.me}|{name}")
            for place, name in enumerate(names)
        }

    def masked(self, part: Vector, shared_: Collection[str]) -> Vector:
        """A part of the sum as it may be sent.

        Args:
            part: (n,) numbers modulo 2^64.
            shared_: the neighbours that have given out their shares.
        """
        if self.me not in shared_ or len(shared_) < max(self.threshold, FEWEST) or not {*shared_} <= {*self.neighbours}:
            raise FedrecError(f"{self.me} sends nothing: too few of its neighbours are there to mask it")
        total = part + mask(self.secrets.seed, len(part))
        for name in shared_:
            if name != self.me:
                key = agreed(self.secrets.mask, self.neighbours[name].mask, f"{MASK}|{self.sum_}")
                total = total + signed(self.me, name, mask(key, len(part)))
        return np.asarray(total, np.uint64)

    def revealed(
        self, boxes: Mapping[str, bytes], inside: Collection[str], dropped: Collection[str]
    ) -> dict[str, bytes]:
        """Of each neighbour one share: of its own mask's seed if it is inside the sum, of its key if it dropped out.

        Args:
            boxes: from each neighbour that gave out shares, what was sealed for this one.

        Raises:
            FedrecError: somebody would be both, or so few are inside that their sum would tell too much.
        """
        if {*inside} & {*dropped} or {*inside, *dropped} != {*boxes}:
            raise FedrecError(f"{self.me} undoes no mask: everybody is either inside the sum or dropped out")
        if len(inside) < self.threshold or self.me not in inside:
            raise FedrecError(f"{self.me} undoes no mask: only {len(inside)} are inside, {self.threshold} needed")
        opened_ = {
            name: opened(self._key(name), box, f"{self.sum_}|{name}|{self.me}") for name, box in sorted(boxes.items())
        }
        return {name: said[OF_ONE:] if name in inside else said[:OF_ONE] for name, said in opened_.items()}

    def _key(self, name: str) -> bytes:
        return agreed(self.secrets.share, self.neighbours[name].share, f"{SHARE}|{self.sum_}")


def threshold_of(count: int) -> int:
    """How many of so many neighbours undo a mask: more than half, so that no two groups can undo one each."""
    return count // 2 + 1
