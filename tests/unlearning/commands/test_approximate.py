"""Approximate methods in `fedrec unlearn compare`: their figures, beside retraining's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fedrec.errors import UsageError
from tests.cli import as_sets
from tests.conftest import Settings
from unlearning.commands.unlearn import app
from unlearning.methods import method_from, method_named

CHOSEN = "e2urec,neggrad:weight=0.5:paired=2,subtract,in-context,strict-hash"
FIGURES = ("auc_after", "uauc_after", "uauc_at_split_after", "jsd", "half_jeffreys", "l2", "ks", "seconds_teachers")


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> tuple[dict[str, Any], str, Path]:
    out = tmp_path_factory.mktemp("compared")
    settings = as_sets(small(train__epochs=1, data__split="user-time", data__valid_fraction=0.2, items__rank=2))
    how = [
        "--shadows",
        "3",
        "--methods",
        CHOSEN,
        "--shards",
        "2",
        "--forget",
        "20%",
        "--requests",
        "2",
        "--out",
        str(out / "x"),
        "--json",
        str(out / "y"),
    ]
    ran = CliRunner().invoke(app, ["compare", *settings, *how])
    assert ran.exit_code == 0, ran.output
    return json.loads((out / "y").read_text()), ran.stdout, out / "x"


def test_every_method_is_held_against_the_retrained_model(compared: tuple[dict[str, Any], str, Path]) -> None:
    result, shown, _ = compared
    rows = {row["name"]: row for row in result["methods"]}
    assert list(rows) == ["retraining", *CHOSEN.split(",")]
    assert (result["forget"], result["forget_share"], result["requests"]) == (5, "20%", 2)
    for row in rows.values():
        assert all(row[key] is not None for key in FIGURES)
        assert row["jsd_scatter"] is not None and row["l2_scatter"] is not None
        assert row["heavy_jsd_scatter"] is not None and row["rare_l2"] is not None
        assert 0 <= row["membership_auc_low"] <= row["membership_auc"] <= row["membership_auc_high"] <= 1
        assert 0 <= row["lira_auc_low"] <= row["lira_auc"] <= row["lira_auc_high"] <= 1
    assert rows["retraining"]["jsd"] == rows["retraining"]["ks"] == rows["retraining"]["relearning_less"] == 0
    assert rows["e2urec"]["relearning_scatter"] is not None and rows["strict-hash"]["relearning"] is None
    assert {name: row["exact"] for name, row in rows.items() if name in ("retraining", "e2urec", "strict-hash")} == {
        "retraining": "strict",
        "e2urec": "no",
        "strict-hash": "strict",
    }
    assert rows["e2urec"]["seconds"] > rows["e2urec"]["seconds_teachers"] > 0 == rows["strict-hash"]["seconds_teachers"]
    assert "beside the retrained model" in shown and "before" in shown


def test_what_no_weight_was_changed_of_reads_otherwise(compared: tuple[dict[str, Any], str, Path]) -> None:
    result, _, folder = compared
    rows = {row["name"]: row for row in result["methods"]}
    (original,) = result["originals"]
    assert rows["in-context"]["jsd"] != original["jsd"]
    shards = [folder / "models" / f"42-{name}" / "shards" for name in ("in-context", "e2urec")]
    one, other = ([path.read_bytes() for path in place.rglob("*.safetensors")] for place in shards)
    assert len(one) == len(other) == 1 and one != other


def test_a_name_may_have_settings() -> None:
    method = method_named("e2urec:alpha=1:start=subtracted", 4)
    assert (method.name, method.shards) == ("e2urec:alpha=1:start=subtracted", 1)
    assert method.model_dump()["alpha"] == 1.0 and method.model_dump()["start"] == "subtracted"
    assert method_from(method.model_dump()) == method
    with pytest.raises(UsageError, match=r"alhpa is not a setting .did you mean alpha"):
        method_named("e2urec:alhpa=1", 4)
    with pytest.raises(UsageError, match='beta = "2"'):
        method_named("e2urec:beta=2", 4)


@pytest.mark.parametrize("wrong", ["0", "0%", "100%", "x", "-1", "5.5"])
def test_what_is_no_number_of_people_is_told(wrong: str) -> None:
    with pytest.raises(UsageError, match="write how many, for example 1, or a share"):
        CliRunner().invoke(app, ["compare", "--forget", wrong], catch_exceptions=False)
