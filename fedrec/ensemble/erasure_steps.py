"""What a holder of rows does when somebody is to be forgotten: say what it holds, stop serving it, erase it, look back.

The holder is a client of a federation, or a model that is trained in one place. Every step can be repeated.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fedrec.config import RunConfig
from fedrec.data.dataset import TEST, TRAIN, Catalogue, Interactions
from fedrec.data.prompts import Window
from fedrec.data.selection import Selection, of_some_people, row_keys
from fedrec.ensemble.aggregators.judged import Judged
from fedrec.ensemble.erased_rows import Erased, discard, held, held_requests, hold
from fedrec.ensemble.served_model import ServedModel
from fedrec.ensemble.serving import Ensemble
from fedrec.ensemble.validation import Judgement, judged_users, read_judgement, write_judgement
from fedrec.files import sync
from fedrec.metrics import auc
from fedrec.models.adapter import State, state_hash
from fedrec.models.base import Base
from fedrec.tasks import task_of
from fedrec.tasks.task import Encoder
from fedrec.training.lesson import Lesson
from fedrec.vault.vault import Vault


class Holder(Protocol):
    """Who holds rows, and an ensemble that learned from them."""

    @property
    def config(self) -> RunConfig: ...

    @property
    def catalogue(self) -> Catalogue: ...

    @property
    def base(self) -> Base: ...

    @property
    def encoder(self) -> Encoder: ...

    @property
    def vault(self) -> Vault: ...

    @property
    def ensemble(self) -> Ensemble: ...

    @property
    def interactions(self) -> Interactions:
        """The rows as they were when the step began."""

    def learned(self, gone: NDArray[np.bool_]) -> tuple[int, ...]:
        """The shards whose training read one of these rows (n,)."""

    def members(self, shards: Collection[int]) -> NDArray[np.bool_]:
        """(users,) who teaches one of these shards."""

    def judged_by(self, adapters: Mapping[int, State]) -> Judgement:
        """What weighs these adapters, by shard, against each other."""

    def answers_of(self, adapters: Mapping[int, State], judged: Judged | None = None) -> ServedModel:
        """How these adapters answer together; without judged rows they count equally."""


@dataclass(frozen=True)
class Held:
    """What is held of a selection.

    Attributes:
        rows: its rows; users: whose they are.
        shards: that learnt from them, because one taught the shard or stood in the history of one that did.
        left: what is still found of it besides the rows: scores of its rows, and judged rows that are not there.
    """

    rows: int
    users: tuple[str, ...]
    shards: tuple[int, ...]
    left: int


@dataclass(frozen=True)
class Rehearsed:
    """How adapters look that are not served yet.

    Attributes:
        forgotten, unseen: log-likelihoods, by these adapters together, of erased rows and of rows never learnt from.
        before, after: AUC of all shards, as they were and as they will be served, on the test rows of the people who
            teach these; of so many `liked` and `disliked` rows.
    """

    forgotten: tuple[float, ...]
    unseen: tuple[float, ...]
    before: float
    after: float
    liked: int
    disliked: int


def locate(holder: Holder, selection: Selection) -> Held:
    """What is here of it."""
    rows = holder.interactions
    gone = selection.mask(rows, holder.catalogue)
    users = tuple(rows.user_ids[user] for user in np.unique(rows.user[gone]))
    left = 0
    if selection != Selection():
        left = holder.ensemble.scores.met(selection, holder.catalogue) + len(holder.ensemble.overjudged())
    return Held(int(gone.sum()), users, holder.learned(gone), left)


def people(holder: Holder) -> set[str]:
    """Everybody of whom anything is here: rows, scores, judged rows, or erased ones that wait."""
    ensemble, waiting = holder.ensemble, held_requests(_waiting(holder))
    scored = ensemble.scores.read()
    return {
        *holder.interactions.user_ids,
        *(map(str, scored.users) if scored is not None else ()),
        *(user for path in (ensemble.judged_path, ensemble.rehearsed_path) for user in judged_users(path)),
        *(user for request in waiting for user in held(_waiting(holder), request).people),
    }


def withdraw(holder: Holder, selection: Selection, shards: Collection[int]) -> tuple[list[int], int]:
    """Serve without those shards, and let nobody of the selection judge the others.

    Returns:
        The shards that are left, and how many rows of the selection are here.
    """
    here = locate(holder, selection)
    return holder.ensemble.withdraw(shards, here.users), here.rows


def erase(holder: Holder, selection: Selection, request: str) -> int:
    """Delete the rows for good, and what was made of them; the prompts wait, encrypted, for `rehearse`.

    Returns:
        Rows deleted.
    """
    _hold(holder, selection, request)
    deleted = holder.vault.erase(selection, request).rows
    forget_made(holder)
    return deleted


def waiting(holder: Holder, request: str) -> int:
    """How many rows that a request erased wait for `rehearse`."""
    return len(held(_waiting(holder), request).asked)


def erased_lesson(holder: Holder, requests: Sequence[str]) -> Lesson:
    """The rows that some requests erased and that wait, as what an adapter is to unlearn.

    Whoever has other rows left is numbered as in `holder.interactions`, everybody else behind those.
    """
    rows = holder.interactions
    numbers = {user: number for number, user in enumerate(rows.user_ids)}
    windows, labels, users = list[Window](), [np.zeros(0, np.int8)], [np.zeros(0, np.int32)]
    for erased in (held(_waiting(holder), request) for request in requests):
        before = sum(map(len, labels))
        windows += [replace(each, rows=each.rows + before, first=each.first + before) for each in erased.windows]
        whose = [numbers.setdefault(user, len(numbers)) for user in erased.people]
        labels.append(erased.labels)
        users.append(np.array(whose, np.int32)[erased.users])
    key = (holder.config.seed, "erased", 0, 0)
    return Lesson(windows, np.concatenate(labels), np.concatenate(users), holder.encoder.readout, key, 0, 1)


def forget_made(holder: Holder) -> None:
    """Remove what was made of rows that are in the vault no longer, but for what is served."""
    ensemble, rows = holder.ensemble, holder.vault.interactions(holder.catalogue)
    ensemble.scores.retain(row_keys(rows.take(rows.split == TEST), holder.catalogue))
    if (gone := ensemble.overjudged()) and (judged := read_judgement(ensemble.judged_path)):
        write_judgement(ensemble.judged_path, judged.without(sorted(gone)))
    _sweep(holder)
    written = [path for path in (ensemble.scores.path, ensemble.judged_path) if path.exists()]
    for path in (*written, ensemble.folder):
        sync(path)  # before anybody is told that it is gone


def rehearse(holder: Holder, requests: Sequence[str], retrained: Mapping[int, State], unseen: int) -> Rehearsed:
    """How erased rows and rows never seen look to adapters, by shard, that are not served yet.

    What weighs the adapters is found out here already, and kept for `serve`.

    Args:
        unseen: how many rows never seen are enough; people's test rows are taken whole.
    """
    task, forgotten = task_of(holder.config), list[float]()
    for request in requests:
        erased = held(_waiting(holder), request)
        if erased.windows:
            scores, asked = _together(holder, retrained, erased.windows, len(erased.labels)), erased.asked
            forgotten += task.log_likelihood(scores[asked], erased.labels[asked]).tolist()
    rows, encoder = holder.interactions, holder.encoder
    test = rows.split == TEST
    some = of_some_people(rows, test, unseen, holder.config.seed)
    scores = _together(holder, retrained, encoder.windows(rows, some), len(rows))[some]
    never_seen = task.log_likelihood(scores, task.labels(rows)[some]).tolist()

    everything = {**holder.ensemble.adapters(), **retrained}
    judgement = holder.judged_by(everything)
    write_judgement(holder.ensemble.rehearsed_path, judgement)
    answers = holder.answers_of(everything, judgement.judged)
    known = holder.ensemble.scores.said_of(row_keys(rows.take(test), holder.catalogue), answers.shards)
    theirs = test & holder.members(retrained)[rows.user]
    if not np.isnan(known).all():
        theirs[test] &= ~np.isnan(known)  # the people who are measured
    with closing(answers):
        label, after = rows.label[theirs], answers.scores(encoder.windows(rows, theirs), len(rows))[theirs]
    before = known[theirs[test]]
    liked = int(label.sum())
    return Rehearsed(
        tuple(forgotten), tuple(never_seen), auc(before, label), auc(after, label), liked, len(label) - liked
    )


def serve(holder: Holder, retrained: Mapping[int, State]) -> None:
    """Serve retrained adapters, by shard, from now on, beside those that are served."""
    ensemble, served = holder.ensemble, holder.ensemble.hashes()
    judgement = read_judgement(ensemble.rehearsed_path)
    if judgement is None or not judgement.is_of(served | {s: state_hash(state) for s, state in retrained.items()}):
        judgement = holder.judged_by({**ensemble.adapters(), **retrained})
    ensemble.serve(retrained, judgement, holder.config.lora, holder.base, beside=served)


def discard_held(holder: Holder, requests: Sequence[str]) -> None:
    """Destroy what `erase` kept for the verification."""
    for request in requests:
        discard(_waiting(holder), request)
    _sweep(holder)


def _hold(holder: Holder, selection: Selection, request: str) -> None:
    rows = holder.interactions
    gone = selection.mask(rows, holder.catalogue) & (rows.split == TRAIN)
    if not gone.any():
        return  # nothing was learnt, or it is deleted already and waits
    windows, kept = holder.encoder.windows(rows, gone), np.zeros(len(rows), bool)
    for window in windows:
        kept[window.first : window.rows[-1] + 1] = True
    number = np.cumsum(kept) - 1
    numbered = [
        replace(each, rows=number[each.rows].astype(np.intp), first=int(number[each.first])) for each in windows
    ]
    labels = np.where(gone, task_of(holder.config).labels(rows), 0)[kept].astype(np.int8)
    there, users = np.unique(rows.user[kept], return_inverse=True)
    people = tuple(rows.user_ids[user] for user in there)
    hold(_waiting(holder), request, Erased(numbered, labels, users.astype(np.int32), people))


def _waiting(holder: Holder) -> Path:
    return holder.ensemble.folder / "held"


def _sweep(holder: Holder) -> None:
    """Remove adapters that nothing answers from, and what safetensors leaves when it is killed while it writes."""
    holder.ensemble.sweep()
    for path in holder.ensemble.folder.rglob(".tmp*"):
        path.unlink(missing_ok=True)


def _together(holder: Holder, adapters: Mapping[int, State], windows: Sequence[Window], n: int) -> NDArray[np.float64]:
    """(n,) like-probabilities by some adapters with equal weights."""
    with closing(holder.answers_of(adapters)) as answers:
        return answers.scores(windows, n)
