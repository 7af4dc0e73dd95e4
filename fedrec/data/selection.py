"""What is to be forgotten: users, items, single rows, a range of dates, several of these together, or everything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import Catalogue, Interactions
from fedrec.errors import UsageError
from fedrec.settings import Section


class Selection(Section):
    """The rows that every given condition meets: of these users, of these items, these rows, from `since` to `until`.

    Without a condition it selects nothing; all rows there are is said by `everything`, and by nothing else.

    Attributes:
        users, items: ids as the source spells them.
        rows: keys as `row_keys` makes them.
        since, until: Unix seconds, both included.
        everything: every row, whoever's; beside no other condition.
    """

    users: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    everything: bool = False

    @property
    def dated(self) -> bool:
        return self.since is not None or self.until is not None

    def check_conditions(self) -> None:
        """
        Raises:
            UsageError: no row can be named so: without a condition, with some that exclude each other, or with dates
                the wrong way round. The message holds no value.
        """
        named = bool(self.users or self.items or self.rows or self.dated)
        if named == self.everything:
            told = "everything is named with users, items, rows or dates: leave out one or the others"
            raise UsageError(told if named else "nothing is named to be forgotten: name users, items, rows or dates")
        if self.rows and (self.users or self.items or self.dated):
            raise UsageError("rows are named with users, items or dates: a row's key says it all, leave out the others")
        if self.since is not None and self.until is not None and self.since > self.until:
            raise UsageError("the dates are the wrong way round: exchange them")

    def mask(self, interactions: Interactions, catalogue: Catalogue) -> NDArray[np.bool_]:
        """(n,) the rows that are to go; none where the selection names nothing, or nothing that is there."""
        chosen = np.full(len(interactions), self != Selection())
        if self.users:
            chosen &= np.isin(np.array(interactions.user_ids), self.users)[interactions.user]
        if self.items:
            chosen &= np.isin(np.array(catalogue.ids), self.items)[interactions.item]
        if self.rows:
            chosen &= np.isin(row_keys(interactions, catalogue), self.rows)
        if self.since is not None:
            chosen &= interactions.time >= self.since
        if self.until is not None:
            chosen &= interactions.time <= self.until
        return chosen

    def check(self, interactions: Interactions, catalogue: Catalogue) -> None:
        """
        Raises:
            UsageError: see `check_conditions`; or it names a user, an item or a row that is not there.
        """
        self.check_conditions()
        keys = row_keys(interactions, catalogue) if self.rows else ()
        there_are = (self.users, interactions.user_ids), (self.items, catalogue.ids), (self.rows, keys)
        for kind, (named, there) in zip(("user", "item", "row"), there_are, strict=True):
            if unknown := sorted(set(named) - set(there)):
                more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
                raise UsageError(f"{kind} {unknown[0]!r}{more}: not in the data (or already forgotten)")


def row_keys(interactions: Interactions, catalogue: Catalogue) -> NDArray[np.str_]:
    """(n,) a key of each row that stays when others go: user, item and time. Repetitions of a row share it."""
    columns = zip(interactions.user.tolist(), interactions.item.tolist(), interactions.time.tolist(), strict=True)
    users, items = interactions.user_ids, catalogue.ids
    return np.array([f"{users[user]}\t{items[item]}\t{time}" for user, item, time in columns], dtype=np.str_)


def without(interactions: Interactions, gone: NDArray[np.bool_]) -> Interactions:
    """The other rows, with only the users who still have one: what a data set without those rows would be."""
    kept = interactions.take(~gone)
    users, index = np.unique(kept.user, return_inverse=True)
    return replace(kept, user=index.astype(np.int32), user_ids=tuple(kept.user_ids[user] for user in users))


def of_some_people(interactions: Interactions, wanted: NDArray[np.bool_], enough: int, seed: int) -> NDArray[np.bool_]:
    """(n,) all wanted rows of as many people, drawn by the seed, as it takes to have enough rows."""
    counts = np.bincount(interactions.user[wanted], minlength=len(interactions.user_ids))
    order = np.random.default_rng(seed).permutation(len(counts))
    before = np.cumsum(counts[order]) - counts[order]
    return np.asarray(wanted & np.isin(interactions.user, order[before < enough]), bool)
