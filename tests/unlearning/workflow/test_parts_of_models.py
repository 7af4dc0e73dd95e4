"""Requests for a part of a person or of the titles, of a sharded model: just these rows go, and just that is said."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings

from fedrec.data.dataset import TEST
from fedrec.data.selection import Selection
from fedrec.data.user_hash import by_hash
from fedrec.files import write_json
from tests.conftest import Settings
from tests.server.test_federated_executor import asked, verified
from tests.unlearning.central import trained as central
from tests.unlearning.workflow.test_parts import Row, meets, ratings, requests, taught
from unlearning.central.model_folder import CENTRAL, ModelFolder

SHARDS = 2


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> Path:
    place = tmp_path_factory.mktemp("parts")
    changes: dict[str, Any] = {"data__path": str(ratings(place / "ratings.csv")), "data__train_rows": 40}
    folder = place / "model"
    central.trained(folder, small(**changes, data__split="auto", train__epochs=1), shards=SHARDS)
    chance = {"membership": 1, "utility": 1}  # what so few rows measure fails nothing; traces do
    write_json(folder / "erasure" / "policy.json", {"thresholds": chance})
    return folder


def rows_of(model: ModelFolder) -> list[Row]:
    rows, ids = model.table.interactions, model.catalogue.ids
    shard = by_hash(rows.user_ids, SHARDS, str(model.config.seed))
    columns = zip(*(c.tolist() for c in (rows.user, rows.item, rows.time, rows.split)), strict=True)
    return [
        Row(CENTRAL, rows.user_ids[user], ids[item], time, split, int(shard[user]))
        for user, item, time, split in columns
    ]


@settings(max_examples=8, phases=(Phase.explicit, Phase.reuse, Phase.generate))  # shrinking would train for minutes
@given(requests())
@example((Selection(everything=True), CENTRAL))
def test_just_what_is_selected_goes_and_just_that_is_said(whole: Path, request_: tuple[Selection, str | None]) -> None:
    selection, client = request_[0], CENTRAL if request_[0].everything else None
    with tempfile.TemporaryDirectory() as place:
        folder = Path(shutil.copytree(whole, Path(place) / "model"))
        before, hashes = rows_of(ModelFolder(folder)), central.served(folder)[CENTRAL]
        gone = {place for place, row in enumerate(before) if meets(row, selection, client)}
        shards = taught(before, gone)
        (id_,) = asked(ModelFolder(folder), selection, client=client)
        work = central.execution(folder)
        (outcome,) = work.run()
        assert outcome["state"] == "closed", outcome["reason"]
        assert verified(work.workflow, id_)
        certificate = json.loads(Path(outcome["certificate"]).read_bytes())["certificate"]
        model = ModelFolder(folder)

        left = [row for place, row in enumerate(before) if place not in gone]
        assert rows_of(model) == left
        kept = model.ensemble.scores.read()
        tested = {f"{r.user}\t{r.item}\t{r.time}" for r in left if r.split == TEST}
        assert {*map(str, kept.rows if kept else ())} == tested
        assert outcome["shards"] == certificate["shards"] == sorted(shards)
        after = central.served(folder)[CENTRAL]
        assert [after[s] for s in range(SHARDS) if s not in shards] == [
            hashes[s] for s in range(SHARDS) if s not in shards
        ]
        claim = "retrained without" if shards else "never learned from" if gone else "no record found"
        assert outcome["claim"] == certificate["claim"] == claim
