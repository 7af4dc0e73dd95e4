"""What is said of test rows without a model."""

from __future__ import annotations

import pytest

from fedrec.config import load
from fedrec.data.dataset import TEST
from fedrec.data.load import load_dataset
from fedrec.data.trivial import trivial_auc
from fedrec.metrics import auc, uauc
from fedrec.preparation import measured_on
from fedrec.reporting.run_result import TRIVIAL


def test_every_scorer_is_held_against_the_best_possible_ranking() -> None:
    rows = load_dataset(load(overrides={"data.world.users": 60}).data, 42).interactions
    test = rows.split == TEST
    label, user = rows.label[test], rows.user[test]
    assert rows.truth is not None
    said = measured_on(rows, test)
    assert said["trivial"].keys() == said["trivial_uauc"].keys() == TRIVIAL.keys()
    assert {name: said["trivial"][name] for name in ("item", "user", "sum")} == trivial_auc(rows, test)
    at_split = said["trivial_uauc_at_split"]
    assert at_split.keys() == TRIVIAL.keys() - {"user"}, "whoever scores a person only ranks none of their titles"
    assert at_split["sum"] == at_split["item"] == said["trivial_uauc"]["item"]
    assert at_split["effects"] == said["trivial_uauc"]["effects"]
    assert said["best_possible_auc"] == auc(rows.truth[test], label)
    assert said["best_possible_uauc"] == uauc(rows.truth[test], label, user) > max(at_split.values())
    assert said["best_possible_auc"] > max(said["trivial"].values()) == pytest.approx(said["trivial"]["counts"])
