"""`fedrec evaluate` of a split: what a run measured is found again, and every person has a line."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fedrec.data.dataset import TRAIN, VALID
from fedrec.errors import FedrecError, UsageError
from server.commands.evaluate import evaluate
from tests.conftest import Copy, Settings
from tests.unlearning.models import Maker
from unlearning.central.answering import AnsweringModel

METRICS = ("examples", "ranked", "auc", "uauc", "uauc_at_split", "logloss")


def asked(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    evaluate(json="-", **options)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_run_is_measured_as_it_measured_itself(
    finished: Copy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = finished(tmp_path / "run")
    found, told = asked(capsys, run=run.folder, split="test"), run.result
    for ours, theirs in zip(found["clients"], told["clients"], strict=True):
        assert ours["id"] == theirs["id"]
        assert {key: ours[key] for key in METRICS} == {key: pytest.approx(theirs[key]) for key in METRICS}
    for key in ("auc", "uauc", "uauc_at_split", "logloss", "auc_margin", "uauc_margin", "uauc_at_split_margin"):
        assert found["overall"][key] == pytest.approx(told["overall"][key], abs=1e-6)
    assert found["warm"]["examples"] + found["cold"]["examples"] == found["overall"]["examples"]
    cold = 0
    for name in run.clients:
        rows = run.rows_of(name)
        cold += int((~np.isin(rows.item[rows.split == 2], rows.item[rows.split == TRAIN])).sum())
    assert found["cold"]["examples"] == cold


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_every_person_has_a_line(
    finished: Copy, tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    run, table = finished(tmp_path / "run"), tmp_path / f"people.{ending}"
    found = asked(capsys, run=run.folder, split="valid", per_user=table)
    people = pd.read_csv(table) if ending == "csv" else pd.read_parquet(table)
    assert list(people) == ["user", "client", "shard", "rows", "auc", "mean_score", "auc_at_split"]
    held = {name: run.rows_of(name) for name in run.clients}
    assert people.rows.sum() == found["overall"]["examples"] == sum((r.split == VALID).sum() for r in held.values())
    assert len(people) == found["overall"]["people"]
    for each in people.itertuples():
        assert run.shard_of([each.user])[0] == each.shard and each.user in held[each.client].user_ids
    ranked = people.auc_at_split.dropna()
    expected = found["overall"]["uauc_at_split"]
    assert (math.fsum(ranked) / len(ranked) if len(ranked) else None) == pytest.approx(expected)


def test_a_sharded_model_is_measured_too(small: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = Maker(tmp_path, small(train__epochs=1)).trained("hash+apa-nd")
    found = asked(capsys, run=model.folder, per_user=tmp_path / "people.csv")
    opened = AnsweringModel(model.folder)
    scores, test = opened.test_scores()
    metrics = opened.metrics(scores, test, opened.scores_at_split(last=True))
    assert {key: found["overall"][key] for key in METRICS} == {key: pytest.approx(metrics[key]) for key in METRICS}
    people = pd.read_csv(tmp_path / "people.csv")
    assert set(people.client) == {"central"} and set(people.shard) <= {0, 1, 2} and len(set(people.shard)) > 1


def test_the_table_on_the_terminal(finished: Copy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(run=finished(tmp_path / "run").folder, split="test")
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("client-0", "all rows", "± (95 %)", "warm titles", "cold titles"))


def test_what_cannot_be_measured_is_said_in_one_line(finished: Copy, tmp_path: Path) -> None:
    run = finished(tmp_path / "run")
    with pytest.raises(UsageError, match=r"name a file that ends in .parquet or .csv"):
        evaluate(run=run.folder, per_user=tmp_path / "people.txt")
    shutil.rmtree(run.folder / "clients" / "client-1")
    with pytest.raises(FedrecError, match="the home of client client-1 is not on this machine"):
        evaluate(run=run.folder, split="test")
