"""Validation rows as every shard's adapter answers them; what is known already is not computed again.

What a row looks like to the base and to an adapter depends on its person's timeline and on that adapter alone
(`by_person`), so it is kept as long as both are as they were: over rounds the vectors, over an erasure also the
answers of every shard that was not trained again.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from fedrec.config import RunConfig
from fedrec.data.prompts import PromptEncoder, Window
from fedrec.data.table import Interactions
from fedrec.ensemble.answers import Judged, each_alone
from fedrec.models.adapter import State, state_hash
from fedrec.models.base import Base
from fedrec.scoring import by_person, row_vectors


@dataclass(frozen=True)
class Judgement:
    """Judged rows, and what they were judged by.

    Attributes:
        users: (v,) whose each row is.
        timelines: (v,) SHA-256 of all that was read of that person.
        adapters: (S,) hash of each shard's adapter; empty where it has none.
    """

    judged: Judged
    users: tuple[str, ...]
    timelines: tuple[str, ...]
    adapters: tuple[str, ...]

    def is_of(self, adapters: Mapping[int, str]) -> bool:
        """Whether just these adapters were judged, by shard their hashes."""
        return {shard: digest for shard, digest in enumerate(self.adapters) if digest} == dict(adapters)

    def without(self, users: Sequence[str]) -> Judgement:
        """The rows of other people."""
        kept = ~np.isin(np.array(self.users, np.str_), list(users))
        whose, timelines = (tuple(compress(names, kept)) for names in (self.users, self.timelines))
        return Judgement(self.judged.take(kept), whose, timelines, self.adapters)


def judge(
    base: Base,
    config: RunConfig,
    encoder: PromptEncoder,
    rows: Interactions,
    wanted: NDArray[np.bool_],
    adapters: Mapping[int, State],
    before: Judgement | None = None,
) -> Judgement:
    """The wanted rows as each shard's adapter answers them alone; NaN where a shard has none.

    Args:
        before: an earlier judgement, of any rows and adapters; the result does not depend on it.
    """
    chosen = np.flatnonzero(wanted)
    users = tuple(rows.user_ids[user] for user in rows.user[chosen])
    windows = encoder.windows(rows, wanted)
    timelines = _timelines(windows, rows.user)
    read = tuple(timelines[user] for user in rows.user[chosen])
    hashes = {shard: state_hash(state) for shard, state in adapters.items()}
    places = _places(users, read, before)
    known, new = places >= 0, wanted.copy()
    new[chosen[known]] = False
    unread = encoder.windows(rows, new) if known.any() else windows

    together = by_person(rows.user)
    vectors = row_vectors(base.model, unread, len(rows), precision=base.precision, batches=together)[chosen]
    scores = np.full((len(chosen), config.shards), np.nan)
    distinct = {digest: adapters[shard] for shard, digest in hashes.items()}  # in round 0 all are equal
    told = {} if before is None else {digest: shard for shard, digest in enumerate(before.adapters)}
    asked = ((state, unread if digest in told else windows) for digest, state in distinct.items())
    alone = each_alone(base.model, base.precision, config.lora, encoder.template.answers, rows.user, asked)
    found = dict(zip(distinct, alone, strict=True))
    for shard, digest in hashes.items():
        scores[:, shard] = found[digest][chosen]
    if before is not None:
        vectors[known] = before.judged.vectors[places[known]]
        for shard, digest in hashes.items():
            if digest in told:
                scores[known, shard] = before.judged.scores[places[known], told[digest]]
    judged = Judged(vectors, rows.label[chosen], scores, np.zeros((config.shards, vectors.shape[1]), np.float32))
    return Judgement(judged, users, read, tuple(hashes.get(shard, "") for shard in range(config.shards)))


def _timelines(windows: Sequence[Window], user: NDArray[np.int32]) -> dict[int, str]:
    """SHA-256 of each user's windows."""
    read: dict[int, hashlib._Hash] = defaultdict(hashlib.sha256)
    for window in windows:
        of = read[int(user[window.rows[0]])]
        of.update(window.ids.tobytes())
        of.update(window.at.tobytes())
    return {user: found.hexdigest() for user, found in read.items()}


def _places(users: Sequence[str], timelines: Sequence[str], before: Judgement | None) -> NDArray[np.intp]:
    """(v,) where each row stands in an earlier judgement, if that read the same of the person; -1 elsewhere."""
    if before is None:
        return np.full(len(users), -1, np.intp)
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, key in enumerate(zip(before.users, before.timelines, strict=True)):
        found[key].append(place)
    left = {key: iter(places) for key, places in found.items()}
    return np.array([next(left.get(key, iter(())), -1) for key in zip(users, timelines, strict=True)], np.intp)
