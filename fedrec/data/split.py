"""Which rows teach, tune and test. Pure functions of the interactions; no randomness.

Four rules:
- given: the source's own split.
- user-time: of a user's n rows in time order the last floor(n·test_fraction) are test and the floor(n·valid_fraction)
  before them valid; so a user with few rows has train rows only. Rows of one second are in the order of the table.
- global-time: the same with all rows together, but rows of one second stay together, on the earlier side of a border.
- tallrec: of the rows that have ten earlier ones of their user, the last 10,000 of all by time are split 8:1:1 in time
  order; every other row is history only (Bao et al., arXiv 2305.00447, section 4.1. The published code takes the last
  10,000 in the order of the file's users instead, which makes the split one by users).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedrec.data.dataset import HISTORY, TEST, TRAIN, VALID, Interactions
from fedrec.errors import DataError, UsageError
from fedrec.text import amount

Rule = Literal["auto", "given", "user-time", "global-time", "tallrec"]
Split = NDArray[np.int8]

_APART = 0.2
_TALLREC_ROWS, _TALLREC_PAST = 10_000, 10


def split_rows(rows: Interactions, how: Rule, valid_fraction: float, test_fraction: float) -> Split:
    """The split (n,) of n rows, as indices into `SPLITS`.

    Args:
        how: a rule of this module; auto = given where the source names test rows, else user-time.
        valid_fraction, test_fraction: for user-time and global-time.

    Raises:
        UsageError: the fractions leave no train rows.
        DataError: the rule leaves the train or the test rows empty.
    """
    if valid_fraction + test_fraction >= 1:
        raise UsageError(
            f"data.valid_fraction + data.test_fraction = {valid_fraction + test_fraction:g} leaves no train rows:"
            " choose a sum below 1"
        )
    split = _split(rows, resolve_rule(rows, how), valid_fraction, test_fraction)
    for value, name in ((TRAIN, "train"), (TEST, "test")):
        if not (split == value).any():
            raise DataError(f"data.split = {how}: no {name} rows among {len(rows)}; {_mend(rows, valid_fraction)}")
    return split


def _split(rows: Interactions, rule: Rule, valid_fraction: float, test_fraction: float) -> Split:
    match rule:
        case "given":
            return rows.split
        case "user-time":
            return _by_user_time(rows, valid_fraction, test_fraction)
        case "global-time":
            return _by_global_time(rows, valid_fraction, test_fraction)
        case _:
            return _by_tallrec(rows)


def _mend(rows: Interactions, valid_fraction: float) -> str:
    """A setting that gives a split that can be measured, tried before it is named."""
    rules: tuple[Rule, ...] = ("user-time", "global-time")
    for test_fraction in (0.2, 0.5):
        for rule in rules:
            if valid_fraction + test_fraction < 1:
                split = _split(rows, rule, valid_fraction, test_fraction)
                if _measurable(rows.label, split, valid_fraction > 0):
                    return f"try --set data.split={rule} --set data.test_fraction={test_fraction}"
    return f"{amount(len(rows), 'row is', 'rows are')} too few to train on and to measure"


def _measurable(label: NDArray[np.int8], split: Split, with_valid: bool) -> bool:
    """Whether no split that is wanted is empty, and the test rows have both answers, where there are both at all."""
    wanted = (TRAIN, VALID, TEST) if with_valid else (TRAIN, TEST)
    both = len(np.unique(label[split == TEST])) == len(np.unique(label))
    return both and all((split == value).any() for value in wanted)


def resolve_rule(rows: Interactions, how: Rule) -> Rule:
    """The rule that `auto` stands for; other rules are themselves."""
    if how != "auto":
        return how
    return "given" if (rows.split == TEST).any() else "user-time"


def doubtful_split(label: NDArray[np.int8], split: Split, rule: Rule) -> str | None:
    """What to say where the like-rates of train and test rows are further apart than `_APART`, and not by chance."""
    train, test = label[split == TRAIN], label[split == TEST]
    first, last = float(train.mean()), float(test.mean())
    pooled = float(np.concatenate([train, test]).mean())
    chance = (pooled * (1 - pooled) * (1 / len(train) + 1 / len(test))) ** 0.5
    if abs(first - last) <= max(_APART, 4 * chance):
        return None
    return (
        f"{first:.0%} of the train rows are likes, and {last:.0%} of the test rows; if that is not meant, choose"
        f" another split than {rule} with --set data.split=RULE (user-time, global-time)"
    )


def keep_train_rows(split: Split, count: int, seed: int) -> NDArray[np.bool_]:
    """(n,) mask of the rows that stay when only `count` train rows, drawn without replacement, are kept."""
    train = np.flatnonzero(split == TRAIN)
    keep = np.ones(len(split), bool)
    if count < len(train):
        keep[train] = False
        keep[np.random.default_rng(seed).choice(train, count, replace=False)] = True
    return keep


def _by_user_time(rows: Interactions, valid_fraction: float, test_fraction: float) -> Split:
    total = np.bincount(rows.user, minlength=len(rows.user_ids))
    test, valid = _floor(total * test_fraction), _floor(total * valid_fraction)
    counts = np.stack([total - valid - test, valid, test], axis=1)
    return np.repeat(np.tile(np.array([TRAIN, VALID, TEST], np.int8), len(total)), counts.ravel())


def _by_global_time(rows: Interactions, valid_fraction: float, test_fraction: float) -> Split:
    times = np.sort(rows.time)
    split = np.full(len(rows), TRAIN, np.int8)
    for value, fraction in ((VALID, valid_fraction + test_fraction), (TEST, test_fraction)):
        later = int(_floor(np.array(len(rows) * fraction)))
        if later:
            split[rows.time > times[len(rows) - later - 1]] = value
    return split


def _by_tallrec(rows: Interactions) -> Split:
    order = np.argsort(rows.time, kind="stable")
    chosen = order[earlier_rows(rows)[order] >= _TALLREC_PAST][-_TALLREC_ROWS:]
    split = np.full(len(rows), HISTORY, np.int8)
    train, valid = int(len(chosen) * 0.8), int(len(chosen) * 0.9)
    split[chosen[:train]] = TRAIN
    split[chosen[train:valid]] = VALID
    split[chosen[valid:]] = TEST
    return split


def earlier_rows(rows: Interactions) -> NDArray[np.int64]:
    """(n,) the number of rows that the row's user has before it."""
    counts = np.bincount(rows.user, minlength=len(rows.user_ids))
    return np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)


def _floor(values: NDArray[np.floating]) -> NDArray[np.int64]:
    """Floor, forgiving the rounding of a product such as 100 · 0.29 = 28.999…"""
    return (values + 1e-9).astype(np.int64)
