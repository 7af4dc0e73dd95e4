"""What a client does when somebody is to be forgotten: say what it holds, stop serving it, delete it, look back."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clients.learned import teaches
from clients.local import Client
from fedrec.data.prompts import Window
from fedrec.data.selection import Selection, of_some_people, row_keys
from fedrec.data.table import TEST, TRAIN, VALID, Interactions, sort_rows
from fedrec.ensemble.answers import Answers, Judged
from fedrec.ensemble.erased_rows import discard, held, hold
from fedrec.ensemble.validation import judged_users, read_judgement, write_judgement
from fedrec.files import sync
from fedrec.metrics import auc
from fedrec.models.adapter import State, state_hash
from fedrec.protocol.adapters import Model
from fedrec.protocol.answers import RehearseAnswer
from fedrec.vault.chain import Link


@dataclass(frozen=True)
class Held:
    """What a client holds of a selection.

    Attributes:
        rows: its rows; users: whose they are.
        shards: that learnt from them, because one taught the shard or stood in the history of one that did.
        left: what is still found of it besides the rows: scores of its rows, and judged rows that are not there.
    """

    rows: int
    users: tuple[str, ...]
    shards: tuple[int, ...]
    left: int


def locate(client: Client, selection: Selection) -> Held:
    """What is here of it."""
    rows = client.interactions
    gone = selection.mask(rows, client.store.catalogue)
    users = tuple(rows.user_ids[user] for user in np.unique(rows.user[gone]))
    taught = np.unique(rows.user[gone & teaches(rows)])
    shards = tuple(map(int, np.unique(client.shard_of_users()[taught])))
    return Held(int(gone.sum()), users, shards, _left(client, selection))


def withdraw(client: Client, selection: Selection, shards: Collection[int]) -> tuple[list[int], int]:
    """Serve without those shards, and let nobody of the selection judge the others.

    Returns:
        The shards that are left, and how many rows of the selection are here.
    """
    held = locate(client, selection)
    return client.store.ensemble.withdraw(shards, held.users), held.rows


def erase(client: Client, selection: Selection, request: str) -> int:
    """Delete the rows for good, and what was made of them; the prompts wait, encrypted, for `rehearse`.

    Returns:
        Rows deleted.
    """
    store = client.store
    _hold(client, selection, request)
    deleted = store.vault.erase(selection, request).rows
    _forget_made(client)
    return deleted


def repeat(client: Client, links: Sequence[Link]) -> int:
    """Serve nothing until `serve`, and erase again what is missing here of some links; how many rows."""
    client.store.ensemble.withdraw_all(client.config.shards)
    deleted = client.store.vault.repeat(links)
    _forget_made(client)
    return deleted


def _forget_made(client: Client) -> None:
    """Remove what was made of rows that are in the vault no longer, but for what is served."""
    store = client.store
    _forget_scores(client)
    _forget_judged(client)
    _sweep(client)
    (store.folder / "published.safetensors").unlink(missing_ok=True)
    shutil.rmtree(store.folder / "training", ignore_errors=True)
    store.ensemble.sweep()
    written = [path for path in (store.folder / "scores.npz", store.ensemble.judged_path) if path.exists()]
    for path in (*written, store.folder):
        sync(path)  # before anybody is told that it is gone


def rehearse(
    client: Client, requests: Sequence[str], model: Model, shards: Sequence[int], unseen: int
) -> RehearseAnswer:
    """How erased rows and rows never seen look to adapters that are not served yet.

    What weighs the adapters is found out here already, and kept for `serve`.

    Args:
        unseen: how many rows never seen are enough; people's test rows are taken whole.

    Returns:
        Log-likelihoods by the retrained shards together; AUCs of all shards, as they were and as they will be served,
        on the test rows of the people in the retrained shards.
    """
    retrained = {shard: _state(state) for shard, state in zip(shards, model, strict=True)}
    forgotten: list[float] = []
    for request in requests:
        windows, labels = held(_waiting(client), request)
        if windows:
            scores = _together(client, retrained, windows, len(labels))
            forgotten += _log_likelihood(scores, np.array(labels)).tolist()
    rows = client.interactions
    test = rows.split == TEST
    some = of_some_people(rows, test, unseen, client.config.seed)
    scores = _together(client, retrained, client.encoder.windows(rows, some), len(rows))[some]
    never_seen = _log_likelihood(scores, rows.label[some]).tolist()

    everything = client.store.ensemble.adapters() | retrained
    judgement = client.judged_by(everything)
    write_judgement(client.store.ensemble.rehearsed_path, judgement)
    answers = _answers(client, everything, judgement.judged, client.config.aggregator)
    known = _scores_before(client, answers.shards)
    theirs = test & np.isin(client.shard_of_users()[rows.user], list(shards))
    if not np.isnan(known).all():
        theirs[test] &= ~np.isnan(known)  # the people who are measured
    label, after = rows.label[theirs], answers.scores(client.encoder.windows(rows, theirs), len(rows))[theirs]
    answers.close()
    before = known[theirs[test]]
    liked = int(label.sum())
    return RehearseAnswer(
        client=client.name, forgotten=tuple(forgotten), unseen=tuple(never_seen), before=auc(before, label),
        after=auc(after, label), liked=liked, disliked=len(label) - liked,
    )  # fmt: skip


def serve(client: Client, model: Model, shards: Sequence[int]) -> None:
    """Serve retrained adapters from now on, beside those that are served."""
    ensemble = client.store.ensemble
    retrained = {shard: _state(state) for shard, state in zip(shards, model, strict=True)}
    served = ensemble.hashes()
    judgement = read_judgement(ensemble.rehearsed_path)
    if judgement is None or not judgement.is_of(served | {s: state_hash(state) for s, state in retrained.items()}):
        judgement = client.judged_by(ensemble.adapters() | retrained)
    ensemble.serve(retrained, judgement, client.config.lora, client.base.source, beside=served)


def discard_held(client: Client, requests: Sequence[str]) -> None:
    """Destroy what `erase` kept for the verification."""
    for request in requests:
        discard(_waiting(client), request)
    _sweep(client)


def _hold(client: Client, selection: Selection, request: str) -> None:
    rows = client.interactions
    gone = selection.mask(rows, client.store.catalogue) & (rows.split == TRAIN)
    if not gone.any():
        return  # nothing was learnt, or it is deleted already and waits
    windows = client.encoder.windows(rows, gone)
    number = np.cumsum(gone) - 1
    numbered = [replace(window, rows=number[window.rows].astype(np.intp)) for window in windows]
    hold(_waiting(client), request, numbered, rows.label[gone].tolist())


def _waiting(client: Client) -> Path:
    return client.store.folder / "held"


def _sweep(client: Client) -> None:
    """Remove what safetensors leaves of a file when it is killed while it writes."""
    for path in client.store.folder.rglob(".tmp*"):
        path.unlink(missing_ok=True)


def _left(client: Client, selection: Selection) -> int:
    if selection == Selection():
        return 0
    scores = client.store.scores()
    if scores is None:
        scored = int(client.store.has_scores)  # what cannot be read may hold anybody
    else:
        scored = int(selection.mask(_rows_of(scores), client.store.catalogue).sum())
    return scored + sum(_overjudged(client, client.interactions).values())


def _rows_of(scores: Mapping[str, NDArray[Any]]) -> Interactions:
    """The test rows whose scores are kept."""
    ids, user = np.unique(scores["users"], return_inverse=True)
    split = np.full(len(user), TEST, np.int8)
    return sort_rows(
        user.astype(np.int32), scores["items"], scores["labels"], scores["times"], split, tuple(map(str, ids))
    )


def _overjudged(client: Client, rows: Interactions) -> Counter[str]:
    """By person, how many judged rows there are more than the vault has to judge by."""
    return Counter(judged_users(client.store.ensemble.judged_path)) - Counter(
        rows.user_ids[user] for user in rows.user[rows.split == VALID].tolist()
    )


def _forget_scores(client: Client) -> None:
    """Keep the scores of those test rows only that are still in the vault."""
    scores = client.store.scores()
    if scores is None:
        client.store.remove_scores()  # broken, so nobody can tell whose they are; they are measured again
    else:
        kept = np.isin(scores["rows"], _test_rows(client, client.store.interactions()))
        client.store.write_scores(**{name: values[kept] if values.ndim else values for name, values in scores.items()})


def _forget_judged(client: Client) -> None:
    """Let nobody judge by rows that the vault no longer has, whoever deleted them."""
    path = client.store.ensemble.judged_path
    if (gone := _overjudged(client, client.store.interactions())) and (judged := read_judgement(path)):
        write_judgement(path, judged.without(list(gone)))


def _test_rows(client: Client, rows: Interactions) -> NDArray[np.str_]:
    """The keys of the test rows among some rows."""
    return row_keys(rows.take(rows.split == TEST), client.store.catalogue)


def _scores_before(client: Client, shards: tuple[int, ...]) -> NDArray[np.float64]:
    """(n,) what these shards said of the client's n test rows before; NaN where nobody or others answered."""
    keys = _test_rows(client, client.interactions)
    before, scores = np.full(len(keys), np.nan), client.store.scores()
    if scores is None or str(scores["shards"]) != str(shards):
        return before
    said = dict(zip(scores["rows"].tolist(), scores["scores"].tolist(), strict=True))
    return np.array([said.get(key, np.nan) for key in keys.tolist()], np.float64)


def _together(client: Client, adapters: Mapping[int, State], windows: Sequence[Window], n: int) -> NDArray[np.float64]:
    """(n,) like-probabilities by some adapters with equal weights."""
    answers = _answers(client, adapters, Judged.nobody(client.config.shards), "average-nd")
    try:
        return answers.scores(windows, n)
    finally:
        answers.close()


def _answers(client: Client, adapters: Mapping[int, State], judged: Judged, aggregator: str) -> Answers:
    config, tokens = client.config, client.encoder.template.answers
    return Answers(client.base, config.lora, tokens, adapters, judged, aggregator, config.aggregation, config.seed)


def _log_likelihood(scores: NDArray[np.float64], labels: NDArray[np.int8]) -> NDArray[np.float64]:
    likelihood = np.where(labels == 1, scores, 1 - scores)
    return np.asarray(np.log(np.clip(likelihood, 1e-7, 1)))


def _state(arrays: Mapping[str, NDArray[np.float32]]) -> State:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
