"""What clients answer where their updates are summed under masks (`fedrec.secure_aggregation`). Bytes stand in hex."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints, model_validator

from fedrec.protocol.answers import Answer
from fedrec.protocol.record import AsArrays, Count, Hash, Real, Text, Whole, one_each

Hex = Annotated[str, StringConstraints(strict=True, pattern="^([0-9a-f]{2}){0,200}$")]
Boxes = dict[Text, Hex]
"""By client, what is sealed for it, or comes from it."""
PublicKeys = tuple[Hash, Hash, Hash]
"""For shares, for masks, and the hash of a seed."""


def _words(part: NDArray[np.uint64]) -> dict[str, NDArray[Any]]:
    return {"masked": part}


def _part(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.uint64]:
    if arrays.keys() != {"masked"} or arrays["masked"].dtype != np.uint64 or arrays["masked"].ndim != 1:
        raise ValueError("its masked part is not one list of unsigned 64-bit numbers")
    return arrays["masked"]


class KeysAnswer(Answer, reveals="public keys of one sum"):
    """The keys of one sum."""

    public: PublicKeys


class SharesAnswer(Answer, reveals="shares of the secrets of one sum, sealed for other clients"):
    """Of its secrets, a share for each neighbour."""

    boxes: Boxes


class MaskedAnswer(
    Answer,
    reveals="numbers of which each alone is as good as random, and of which the sum over clients is that of their "
    "updates by rows; counts of rows; what was spent of a privacy budget",
):
    """
    Attributes:
        part: what it made of the shards that were asked for less what it was sent, times rows, in fixed point, masked.
        examples: rows trained on per shard.
        epsilon: as `TrainAnswer` has it.
    """

    round: Whole
    examples: tuple[Count, ...]
    epsilon: tuple[Annotated[Real, Field(ge=0)], ...] = ()
    part: Annotated[NDArray[np.uint64], AsArrays(_words, _part)]

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if self.epsilon:
            one_each(len(self.examples), epsilon=self.epsilon)
        return self


class RevealAnswer(Answer, reveals="shares that undo the masks of a sum, and not those of any part of it"):
    """Of each neighbour one share."""

    shares: Boxes
