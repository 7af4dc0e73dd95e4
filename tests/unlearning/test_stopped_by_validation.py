"""Validation rows that stop a training are forgotten like those that it learnt from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedrec.data.dataset import VALID
from fedrec.data.selection import Selection, row_keys
from fedrec.models.adapter import state_hash
from tests.conftest import Settings
from tests.server.test_federated_executor import asked, execution, served, trained, without
from tests.unlearning.models import Maker, adapters, same
from unlearning.central.model import ShardedModel

USERS = ("u03", "u07", "u16")


def stopping(small: Settings, **changes: Any) -> dict[str, Any]:
    """Rows that teach enough for a training to be kept, at least in part."""
    return small(
        train__stop="validation", train__lr=0.03, train__batch=2, data__split="user-time", data__valid_fraction=0.3,
        **changes,
    )  # fmt: skip


@pytest.fixture
def maker(tmp_path: Path, small: Settings) -> Maker:
    return Maker(tmp_path, stopping(small))


def a_valid_row(maker: Maker) -> Selection:
    rows = maker.dataset.interactions
    chosen = np.flatnonzero((rows.split == VALID) & (rows.user == 3))[0]
    return Selection(rows=(row_keys(rows, maker.dataset.catalogue)[chosen],))


@pytest.mark.parametrize(("partition", "slices"), [("hash", 1), ("hash-row", 2)])
def test_who_goes_stops_nothing_any_longer(maker: Maker, partition: str, slices: int) -> None:
    forgot = maker.trained(f"{partition}+apa-nd", slices=slices)
    knew, gone = adapters(forgot), Selection(users=USERS)
    assert any(not begins(forgot, shard) for shard in forgot.shards)
    forgot.forget(gone)
    assert adapters(forgot) != knew
    same(forgot, maker.trained(f"{partition}+apa-nd", slices=slices, gone=gone))


@pytest.mark.parametrize("partition", ["hash", "hash-row"])
def test_a_validation_row_alone_has_its_shard_made_again(maker: Maker, partition: str) -> None:
    forgot, gone = maker.trained(f"{partition}+apa-nd"), a_valid_row(maker)
    assert len(forgot.forget(gone).cost.shards) == 1
    same(forgot, maker.trained(f"{partition}+apa-nd", gone=gone))


def test_the_restored_federation_was_never_stopped_by_them(tmp_path: Path, small: Settings, ratings: Path) -> None:
    settings = stopping(small, shards=2)
    run = trained(tmp_path / "run", settings)
    knew = served(run)
    asked(run, *(Selection(users=(user,)) for user in USERS))
    assert [outcome["state"] for outcome in execution(run).run()] == ["closed"] * len(USERS)
    assert served(run) != knew
    assert served(run) == served(
        trained(tmp_path / "never", {**settings, "data.path": without(ratings, tmp_path, set(USERS))})
    )


def begins(model: ShardedModel, shard: int) -> bool:
    """Whether a shard serves what it started from."""
    return model.ensemble.hashes()[shard] == state_hash(model.initial)
