"""`fedrec unlearn compare` from the command line: what it prints and writes, goes on with, and says of mistakes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from fedrec.ensemble.aggregators import AGGREGATORS
from fedrec.errors import FedrecError
from fedrec.files import read_json, write_json
from tests.cli import as_sets
from tests.conftest import Settings
from tests.models.saved import altered
from unlearning.central.model import ShardedModel
from unlearning.central.validation import Scoring
from unlearning.commands.unlearn import app
from unlearning.comparison.console import dear
from unlearning.methods import METHODS as TABLE
from unlearning.partition import PARTITIONERS
from unlearning.shards.training import ShardTraining

METHODS = {
    "name", "seed", "auc_before", "auc_after", "retrain_auc", "rows_processed", "rows_full", "steps", "seconds",
    "seconds_full", "shards_touched", "exact",
}  # fmt: skip


@pytest.fixture
def settings(small: Settings) -> list[str]:
    return as_sets(small(train__epochs=1, data__split="user-time", data__valid_fraction=0.2))


def compare(settings: list[str], *arguments: object) -> Result:
    return CliRunner().invoke(app, ["compare", *settings, *map(str, arguments)])


def test_methods_side_by_side(settings: list[str], tmp_path: Path) -> None:
    out, result = tmp_path / "out", tmp_path / "result.json"
    ran = compare(
        settings, "--methods", "sisa,strict-hash", "--shards", "3", "--slices", "2", "--forget", "2",
        "--seeds", "1,2", "--out", out, "--json", result,
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    found = json.loads(result.read_text())
    rows = found["methods"]
    assert [(row["seed"], row["name"]) for row in rows] == [
        (seed, name) for seed in (1, 2) for name in ("retraining", "sisa", "strict-hash")
    ]
    for row in rows:
        assert set(row) >= METHODS
        retrained = next(other for other in rows if other["seed"] == row["seed"])
        assert row["retrain_auc"] == retrained["auc_after"]
        assert row["exact"] == ("given-partition" if row["name"] == "sisa" else "strict")
        assert row["rows_full"] == retrained["rows_processed"]
    assert found["inference"] == []
    assert (out / "report.html").read_text().startswith("<!doctype html>")
    for expected in ("strict-hash", "given its partition", "shards again"):
        assert expected in ran.stdout


def test_what_is_deleted_decides_how_rows_are_sorted(settings: list[str], tmp_path: Path) -> None:
    for unit, partition in (("user", "random-user"), ("row", "random")):
        ran = compare(settings, "--methods", "sisa", "--unit", unit, "--out", tmp_path / unit, "--json", "-")
        assert json.loads(ran.stdout)["methods"][1]["partition"] == partition


def test_the_time_of_an_answer_is_measured_where_one_asks_for_it(settings: list[str], tmp_path: Path) -> None:
    chosen = ("--methods", "strict-hash", "--shards", "2", "--out", tmp_path / "out", "--json", tmp_path / "x.json")
    assert "one pass a shard" not in compare(settings, *chosen).stdout
    assert "one pass a shard" in compare(settings, *chosen, "--latency").stdout
    assert {row["shards"] for row in read_json(tmp_path / "x.json")["inference"]} == {1, 4, 8, 16}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"partition": "random"}, "random sorts rows"),
        ({"shards_touched": 4}, "was in every shard"),
        ({}, "so few rows"),
        ({"exact": "no"}, "passes over what is deleted"),
        ({"seconds": 1.0}, None),
        ({"name": "retraining"}, None),
    ],
)
def test_a_deletion_that_costs_more_than_retraining_says_why(change: dict[str, Any], told: str | None) -> None:
    row = {"name": "sisa", "partition": "hash", "shards": 4, "shards_touched": 1, "seconds": 9.0, "seconds_full": 5.0}
    row["exact"] = "given-partition"
    why = dear(row | change, "user")
    assert why is None if told is None else why is not None and told in why


def test_a_second_run_goes_on_and_does_nothing_twice(settings: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    chosen = ("--methods", "strict-hash", "--shards", "2", "--out", out)
    assert compare(settings, *chosen).exit_code == 0
    before = read_json(tmp_path / "out" / "compare.json")
    again = compare(settings, *chosen, "--json", "-")
    assert json.loads(again.stdout) == before
    other = compare(settings, *chosen, "--slices", "2")
    assert f"{out} holds a comparison with slices = 1: give the same settings" in str(other.exception)
    assert compare(settings, *chosen, "--slices", "2", "--replace").exit_code == 0


@pytest.mark.parametrize("change", [{"of an older version": 1}, {"unit": None}])
def test_a_comparison_with_other_settings_is_not_gone_on_with(
    settings: list[str], tmp_path: Path, change: dict[str, int | None]
) -> None:
    out = tmp_path / "out"
    chosen = ("--methods", "strict-hash", "--shards", "2", "--out", out)
    assert compare(settings, *chosen).exit_code == 0
    plan = read_json(out / "plan.json") | change
    write_json(out / "plan.json", {key: value for key, value in plan.items() if value is not None})
    ((name, value),) = change.items()
    assert f"{out} holds a comparison with {name} = {value}" in str(compare(settings, *chosen).exception)


def test_neither_comparison_nor_models_go_on_over_an_altered_base(
    settings: list[str], tiny_base: Path, tmp_path: Path
) -> None:
    base, out = Path(shutil.copytree(tiny_base, tmp_path / "base")), tmp_path / "out"
    chosen = ("--set", f"base={base}", "--methods", "strict-hash", "--shards", "2", "--out", out)
    assert compare(settings, *chosen).exit_code == 0
    (model,) = (out / "models").glob("*strict-hash")
    assert ShardedModel(model).base
    altered(base / "model.safetensors")
    wrong = f"{base / 'model.safetensors'} is not the file that"
    assert f"{wrong} {out} was made over" in str(compare(settings, *chosen).exception)
    with pytest.raises(FedrecError, match=f"{wrong} {model} was made over"):
        assert ShardedModel(model).base


def test_a_method_can_be_added_to_a_comparison(settings: list[str], tmp_path: Path) -> None:
    chosen = ("--shards", "2", "--out", tmp_path / "out", "--json", "-")
    first = json.loads(compare(settings, *chosen, "--methods", "strict-hash").stdout)["methods"]
    both = json.loads(compare(settings, *chosen, "--methods", "sisa,strict-hash").stdout)["methods"]
    assert [row["name"] for row in both] == ["retraining", "sisa", "strict-hash"]
    assert [both[0], both[2]] == first  # seconds too: they were not trained again


@pytest.mark.slow
def test_workers_on_ray_measure_the_same_and_start_once(
    settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    starts, start = [], ray.init
    monkeypatch.setattr(ray, "init", lambda **how: starts.append(how) or start(**how))
    chosen = ("--methods", "strict-hash,apa-d", "--shards", "2", "--gpus", "0.25", "--json", "-")  # Ray shares them out
    rows = []
    for workers in (0, 2):
        found = json.loads(compare(settings, *chosen, "--workers", workers, "--out", tmp_path / str(workers)).stdout)
        rows.append([{key: row[key] for key in row if "seconds" not in key} for row in found["methods"]])
    assert rows[0] == rows[1]
    assert len(starts) == 1 and not ray.is_initialized()


def test_a_file_is_no_place_for_a_comparison(settings: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert "file is a file: choose another --out" in str(compare(settings, "--out", tmp_path / "file").exception)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_question_mark_shows_what_there_is_to_choose_from() -> None:
    shown = compare([], "--methods", "?")
    assert shown.exit_code == 0
    for name in (*TABLE, *PARTITIONERS, *AGGREGATORS):
        assert name in shown.stdout
    assert "section" not in shown.stdout  # of a document that nobody has


def test_a_comparison_killed_in_a_deletion_starts_that_method_again(settings: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    chosen = ("--methods", "strict-hash", "--shards", "2", "--out", out)
    assert compare(settings, *chosen).exit_code == 0
    (row,) = (out / "rows").glob("*-strict-hash.json")
    before = {key: value for key, value in read_json(row).items() if "seconds" not in key}
    row.unlink()  # as if killed after the deletion, before its figures were written
    assert compare(settings, *chosen).exit_code == 0
    assert {key: value for key, value in read_json(row).items() if "seconds" not in key} == before


@pytest.mark.parametrize("unit", ["row", "user"])
def test_a_partition_by_rows_is_compared_too(settings: list[str], tmp_path: Path, unit: str) -> None:
    ran = compare(settings, "--methods", "hash-row+average-d", "--unit", unit, "--out", tmp_path / "out", "--json", "-")
    rows = json.loads(ran.stdout)["methods"]
    assert [row["exact"] for row in rows] == ["strict", "strict"]
    assert 1 <= rows[1]["shards_touched"] <= 4
    assert (rows[1]["rows_processed"] == rows[1]["rows_full"]) == (rows[1]["shards_touched"] == 4)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--methods", "apa"), "method apa: choose retraining, sisa"),
        (("--methods", "hash+apa"), "method hash+apa: choose"),
        (("--unit", "film"), "--unit film: choose row or user"),
        (("--forget", "24"), "--forget 24: there are 24 users to learn from; forget fewer"),
        (("--seeds", "1,x"), "--seeds 1,x: write different whole numbers"),
        (("--seeds", "1,1"), "--seeds 1,1: write different"),
        (("--json", "/proc/nowhere/x.json"), "--json /proc/nowhere/x.json: cannot be written"),
        (("--shards", "0"), "0 is not in the range"),
        (("--set", "aggregation.tau=-1"), "aggregation.tau = -1"),
        (("--set", "aggregation.taux=1"), "taux is not a setting"),
        (("--set", "aggregation.validation=2"), "aggregation.validation = 2"),
        (("--set", "train.lr=fast"), "train.lr"),
        (("--set", "data.path=nowhere.csv"), "nowhere.csv"),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(
    settings: list[str], tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    ran = compare(settings, "--out", tmp_path / "out", *arguments)
    assert ran.exit_code != 0
    message = str(ran.exception) if isinstance(ran.exception, FedrecError) else ran.stderr
    assert told in message
    assert not (tmp_path / "out").exists()


def shards_of(work: type[ShardTraining] | type[Scoring], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The shard of every piece of such work that is done from now on."""
    done: list[int] = []
    real: Any = work.run
    monkeypatch.setattr(work, "run", lambda self, *args: done.append(self.shard) or real(self, *args))
    return done


def test_methods_that_sort_rows_alike_judge_them_once(
    settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = shards_of(Scoring, monkeypatch)
    out = tmp_path / "out"
    assert compare(settings, "--methods", "hash+apa-d,hash+apa-nd", "--shards", "2", "--out", out).exit_code == 0
    d, nd = read_json(out / "compare.json")["methods"][1:]
    assert len(judged) == 2 + d["shards_touched"]
    assert d["rows_processed"] == nd["rows_processed"]


def test_methods_that_sort_rows_alike_share_their_shards(
    settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = shards_of(ShardTraining, monkeypatch)
    out = tmp_path / "out"
    assert compare(settings, "--methods", "sisa,random-user+vote", "--shards", "2", "--out", out).exit_code == 0
    sisa, vote = read_json(out / "compare.json")["methods"][1:]
    assert len(trained) == 2 + 2 + sisa["shards_touched"]  # retraining twice, two shards once, the touched again
    for key in ("rows_trained", "rows_processed", "steps", "shards_touched", "exact"):
        assert sisa[key] == vote[key] != 0
