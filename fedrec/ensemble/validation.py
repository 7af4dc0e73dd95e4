"""Validation rows as every shard's adapter answers them; what is known already is not computed again.

What a row looks like to the base and to an adapter depends on its person's timeline and on that adapter alone
(`by_person`), so it is kept as long as both are as they were: over rounds the vectors, over an erasure also the
answers of every shard that was not trained again.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from fedrec.config import LoraConfig, RunConfig
from fedrec.data.dataset import Interactions
from fedrec.data.prompts import Window
from fedrec.ensemble.aggregators.judged import Judged
from fedrec.files import replacing, storing
from fedrec.models.adapter import State, state_hash
from fedrec.models.adapter_bank import AdapterBank, Routed
from fedrec.models.base import Base
from fedrec.models.item_rows import learnt_items
from fedrec.scoring import by_person, row_vectors, score_windows
from fedrec.tasks.task import Encoder, Readout

Asked = Sequence[tuple[State, Sequence[Window]]]
"""Adapters, each with the windows that it is to answer."""


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

    def covers(self, adapters: Mapping[int, str]) -> bool:
        """Whether these adapters, by shard their hashes, are among those that were judged."""
        return adapters.items() <= dict(enumerate(self.adapters)).items()

    def without(self, users: Sequence[str]) -> Judgement:
        """The rows of other people."""
        kept = ~np.isin(np.array(self.users, np.str_), list(users))
        whose, timelines = (tuple(compress(names, kept)) for names in (self.users, self.timelines))
        return Judgement(self.judged.take(kept), whose, timelines, self.adapters)


def judge(
    base: Base,
    config: RunConfig,
    encoder: Encoder,
    rows: Interactions,
    wanted: NDArray[np.bool_],
    adapters: Mapping[int, State],
    before: Judgement | None = None,
    alone: Callable[[Asked], Iterable[NDArray[np.float64]]] | None = None,
    known_vectors: NDArray[np.float32] | None = None,
) -> Judgement:
    """The wanted rows as each shard's adapter answers them alone; NaN where a shard has none.

    Args:
        before: an earlier judgement, of any rows and adapters; the result does not depend on it.
        alone: gives for each adapter and its windows the (n,) scores of their rows by it alone, one person's windows at
            a time; None: `each_alone`, here.
        known_vectors: (n, d) of the rows, where they were read before.
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
    vectors = known_vectors
    if vectors is None:
        vectors = row_vectors(base.model, unread, len(rows), precision=base.precision, batches=together)
    vectors = vectors[chosen]
    scores = np.full((len(chosen), config.shards), np.nan)
    distinct = {digest: adapters[shard] for shard, digest in hashes.items()}  # in round 0 all are equal
    told = {} if before is None else {digest: shard for shard, digest in enumerate(before.adapters)}
    asked = [(state, unread if digest in told else windows) for digest, state in distinct.items()]
    here = partial(each_alone, base.model, base.precision, config.lora, encoder.readout, rows.user)
    if len(chosen):
        found = dict(zip(distinct, (alone or here)(asked), strict=True))
        for shard, digest in hashes.items():
            scores[:, shard] = found[digest][chosen]
    if before is not None:
        vectors[known] = before.judged.vectors[places[known]]
        for shard, digest in hashes.items():
            if digest in told:
                scores[known, shard] = before.judged.scores[places[known], told[digest]]
    judged = Judged(vectors, rows.label[chosen], scores, np.zeros((config.shards, vectors.shape[1]), np.float32))
    return Judgement(judged, users, read, tuple(hashes.get(shard, "") for shard in range(config.shards)))


def each_alone(
    model: torch.nn.Module,
    precision: str,
    lora: LoraConfig,
    readout: Readout,
    user: NDArray[np.int32],
    asked: Asked,
) -> Iterator[NDArray[np.float64]]:
    """For each adapter and its windows, the (n,) scores of their rows by it alone; NaN for other rows.

    Args:
        user: (n,) of all rows.
    """
    with AdapterBank(model, lora, items=learnt_items(state for state, _ in asked)) as bank:
        bank.eval()
        for state, windows in asked:
            if windows:
                bank.load(0, state)
            yield score_windows(
                model, windows, readout, len(user), bank=bank, routing=Routed(0), precision=precision,
                batches=by_person(user),
            )  # fmt: skip


def write_judgement(path: Path, judgement: Judgement, durable: bool = True) -> None:
    arrays: dict[str, NDArray[np.generic]] = {
        name: np.ascontiguousarray(array) for name, array in vars(judgement.judged).items()
    }
    # One key: the order of several would change from file to file.
    names = {"names": json.dumps({name: getattr(judgement, name) for name in _NAMES}, ensure_ascii=False)}
    with replacing(path, durable) as partly, storing(partly):
        save_file(arrays, partly, names)


def read_judgement(path: Path) -> Judgement | None:
    """None where nothing was judged, or it cannot be read."""
    try:
        return Judgement(Judged(**load_file(path)), **_names_in(path))
    except _UNREADABLE:
        return None


def judged_users(path: Path) -> tuple[str, ...]:
    """Whose each judged row is; nobody's where it cannot be read."""
    try:
        return _names_in(path)["users"]
    except _UNREADABLE:
        return ()


_NAMES = ("users", "timelines", "adapters")
_UNREADABLE = (OSError, SafetensorError, KeyError, TypeError, ValueError)


def _names_in(path: Path) -> dict[str, tuple[str, ...]]:
    with safe_open(path, "np") as file:
        return {name: tuple(known) for name, known in json.loads(file.metadata()["names"]).items()}


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
