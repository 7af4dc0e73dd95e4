"""Which shard each training row is learnt in: every published partition and the strict ones, behind one interface.

A strict partition made again after an erasure is the old one without the erased. Any other one saw the erased rows and
is kept as it was made: what is retrained on it is exact *given the partition*. With more shards than units, some stay
empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from unlearning.partition import grapheraser, random_split, receraser, semantic, strict
from unlearning.partition.quality import Quality, describe
from unlearning.partition.rows import Rows, Shards

__all__ = ["PARTITIONERS", "Partitioner", "Quality", "Rows", "Shards", "describe"]


@dataclass(frozen=True)
class Partitioner:
    """A rule that sorts rows into shards; deterministic.

    Attributes:
        name: as the command line says it.
        unit: "user" keeps all rows of a user in one shard; "row" may spread them.
        strict: a unit's shard depends on public things and on the unit alone.
        source: paper, or in words what is fedrec's own.
        place: (rows, shards, seed) to the (n,) int32 shard of each row.
    """

    name: str
    unit: Literal["row", "user"]
    strict: bool
    source: str
    place: Callable[[Rows, int, int], Shards]


SISA, RECERASER = "SISA, arXiv 1912.03817", "RecEraser, arXiv 2201.06820"
GRAPHERASER, APA, OWN = (
    "GraphEraser, arXiv 2103.14991",
    "APA, arXiv 2404.10327",
    "fedrec: public things, or the unit alone",
)

PARTITIONERS: dict[str, Partitioner] = {
    partitioner.name: partitioner
    for partitioner in (
        Partitioner("random", "row", False, SISA, random_split.random_rows),
        Partitioner("random-user", "user", False, SISA, random_split.random_users),
        Partitioner("inbp", "row", False, RECERASER, receraser.inbp),
        Partitioner("ubp", "user", False, RECERASER, receraser.ubp),
        Partitioner("ibp", "row", False, RECERASER, receraser.ibp),
        Partitioner("bekm", "user", False, GRAPHERASER, grapheraser.bekm),
        Partitioner("blpa", "user", False, GRAPHERASER, grapheraser.blpa),
        Partitioner("semantic", "row", False, APA, semantic.semantic_rows),
        Partitioner("semantic-user", "user", False, APA, semantic.semantic_users),
        Partitioner("public", "user", True, OWN, strict.public_users),
        Partitioner("public-row", "row", True, OWN, strict.public_rows),
        Partitioner("hash", "user", True, OWN, strict.hash_users),
        Partitioner("hash-row", "row", True, OWN, strict.hash_rows),
    )
}
