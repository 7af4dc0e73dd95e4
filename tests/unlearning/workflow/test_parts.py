"""Requests for a part of a person, of a client or of the titles: just the selected rows go, and just that is said."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from fedrec.config import load
from fedrec.data.dataset import HISTORY, TEST, TRAIN
from fedrec.data.selection import Selection
from fedrec.files import write_json
from server.launch import simulate
from server.prepare import prepare
from server.simulated_run import SimulatedRun
from tests.conftest import TITLES, Settings
from tests.server.test_federated_executor import asked, execution, served, verified

USERS = [f"u{k}" for k in range(9)]
TRAVELLERS = {"u1": 2, "u2": 3, "u4": 3}  # in how many of the clients somebody's rows are
SPLITS = {"u3": ["test"], "u5": ["train"], "u6": ["valid", "test"]}  # those of others are mixed


def ratings(path: Path) -> Path:
    random = np.random.default_rng(3)
    lines = ["user,item,rating,timestamp,title,split"]
    for user in USERS:
        for when, item in enumerate(random.permutation(len(TITLES))[:10]):
            split = random.choice(SPLITS.get(user, ["train", "train", "train", "valid", "test"]))
            lines.append(f"{user},i{item},{random.choice([1, 5])},{10 * when},{TITLES[item]},{split}")
    path.write_text("\n".join(lines) + "\n")
    return path


def build(
    folder: Path,
    small: Settings,
    data: Path,
    never: Selection = Selection(),  # noqa: B008
    client: str | None = None,
) -> SimulatedRun:
    """A finished run of two shards, in which some people are at several clients and some train rows only histories.

    Args:
        never: what no client, or not that one, ever had.
    """
    changes: dict[str, Any] = {"data__path": str(data), "data__train_rows": 40, "train__epochs": 1, "shards": 2}
    run = prepare(load(overrides=small(**changes)), folder)
    homes = run.clients_of()
    for user, many in TRAVELLERS.items():
        rows = run.rows_of(homes[user][0])
        theirs = np.flatnonzero(rows.user == rows.user_ids.index(user))
        others = [name for name in run.clients if name not in homes[user]]
        for place, name in enumerate(others[: many - 1]):
            run.homes[name].write_interactions(rows.take(theirs[place::2]), run.catalogue)
    for name in run.clients:
        if never != Selection() and client in (None, name):
            run.client(name).vault.erase(never, "before")
    simulate(run)
    return run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ratings(tmp_path_factory.mktemp("parts") / "ratings.csv")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, small: Settings, data: Path) -> SimulatedRun:
    run = build(tmp_path_factory.mktemp("parts") / "run", small, data)
    chance = {"membership": 1, "utility": 1}  # what so few rows measure fails nothing; traces do
    write_json(run.folder / "erasure" / "policy.json", {"thresholds": chance})
    return run


@dataclass(frozen=True)
class Row:
    """A row of a client, with the words by which a request can name it."""

    client: str
    user: str
    item: str
    time: int
    split: int
    shard: int


def rows_of(run: SimulatedRun) -> list[Row]:
    """Every row of every client, in each client's order."""
    found = []
    for name in run.clients:
        rows, ids = run.rows_of(name), run.catalogue.ids
        shard = run.shard_of(rows.user_ids)
        for user, item, time, split in zip(
            *(c.tolist() for c in (rows.user, rows.item, rows.time, rows.split)), strict=True
        ):
            found.append(Row(name, rows.user_ids[user], ids[item], time, split, int(shard[user])))
    return found


def meets(row: Row, selection: Selection, client: str | None) -> bool:
    return (
        (client is None or row.client == client)
        and (not selection.users or row.user in selection.users)
        and (not selection.items or row.item in selection.items)
        and (selection.since is None or row.time >= selection.since)
        and (selection.until is None or row.time <= selection.until)
    )


def taught(rows: list[Row], gone: set[int]) -> set[int]:
    """The shards that read one of the rows in training: one to learn from, or one before such a one of the person."""
    return {
        row.shard
        for place, row in enumerate(rows)
        if place in gone
        and (
            row.split == TRAIN
            or (
                row.split == HISTORY
                and any((r.client, r.user, r.split) == (row.client, row.user, TRAIN) for r in rows[place:])
            )
        )
    }


@st.composite
def requests(draw: st.DrawFn) -> tuple[Selection, str | None]:
    """Of a person or of nobody; of some titles, some dates, one client, and what these have in common."""
    client = draw(st.none() | st.sampled_from(["client-0", "client-1", "client-2"]))
    since, until = draw(st.none() | st.integers(0, 99)), draw(st.none() | st.integers(0, 99))
    assume(since is None or until is None or since <= until)
    items = draw(st.just(()) | st.sets(st.sampled_from([f"i{k}" for k in range(20)]), max_size=6).map(tuple))
    users = draw(st.just(()) | st.sampled_from(USERS).map(lambda user: (user,)))
    selection = Selection(users=users, items=items, since=since, until=until)
    if selection == Selection():
        assume(client is not None)
        selection = Selection(everything=True)
    return selection, client


def erased(run: SimulatedRun, selection: Selection, client: str | None) -> tuple[dict[str, Any], dict[str, Any], str]:
    """What a request came to: the outcome, the certificate and the reply."""
    (id_,) = asked(run, selection, client=client)
    work = execution(run)
    (outcome,) = work.run()
    assert outcome["state"] == "closed", outcome["reason"]
    assert verified(work.workflow, id_)
    reply = (work.workflow.folder / "documents" / f"{id_}.txt").read_text()
    return outcome, json.loads(Path(outcome["certificate"]).read_bytes())["certificate"], reply


def copies(run: SimulatedRun) -> Iterator[SimulatedRun]:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(run.folder, Path(folder) / "run")
        yield SimulatedRun(Path(folder) / "run")


@settings(max_examples=15, phases=(Phase.explicit, Phase.reuse, Phase.generate))  # shrinking would train for minutes
@given(requests())
def test_just_what_is_selected_goes_and_just_that_is_said(
    whole: SimulatedRun, request_: tuple[Selection, str | None]
) -> None:
    selection, client = request_
    for run in copies(whole):
        before, hashes = rows_of(run), served(run)
        gone = {place for place, row in enumerate(before) if meets(row, selection, client)}
        shards = taught(before, gone)
        outcome, certificate, reply = erased(run, selection, client)

        left = [row for place, row in enumerate(before) if place not in gone]
        assert rows_of(run) == left
        keys = {f"{r.user}\t{r.item}\t{r.time}" for r in left if r.split == TEST}
        scored = [scores for name in run.clients if (scores := run.client(name).ensemble.scores.read())]
        assert {key for scores in scored for key in scores.rows.tolist()} == keys
        assert outcome["shards"] == certificate["shards"] == sorted(shards)
        for name, after in served(run).items():
            assert [one for s, one in enumerate(after) if s not in shards] == [
                one for s, one in enumerate(hashes[name]) if s not in shards
            ]

        assert certificate["client"] == client
        named = {
            "person": selection.users, "items": selection.items, "dates": selection.dated, "client": client,
        }  # fmt: skip
        assert certificate["scope"] == [condition for condition, there in named.items() if there]
        words = {
            "person": "about you", "items": "on the titles", "dates": "within the dates", "client": "at the one place",
        }  # fmt: skip
        told = reply.split("What became of the model")[0]
        assert {condition: text in told for condition, text in words.items()} == {c: bool(x) for c, x in named.items()}
        assert ("Every record" in told) == bool(gone) != ("none was erased" in told)
        part = bool(selection.users) and (selection, client) != (Selection(users=selection.users), None)
        assert ("Whatever else there is about you" in told) == part
        claim = "retrained without" if shards else "never learned from" if gone else "no record found"
        assert outcome["claim"] == certificate["claim"] == claim
        assert ("No part of the model had learned" in reply) == (bool(gone) and not shards)
        assert ("back in use" in reply) == ("trained again, from" in reply) == bool(shards)


PARTS = [
    (Selection(users=("u0",), since=0, until=40), None),
    (Selection(users=("u2",)), "client-1"),
    (Selection(users=("u4",), items=tuple(f"i{k}" for k in range(20) if k != 4), since=10), None),
    (Selection(items=("i3", "i4"), until=50), "client-0"),
]


@pytest.mark.parametrize(("selection", "client"), PARTS)
def test_what_comes_back_is_what_never_had_the_part(
    tmp_path: Path, whole: SimulatedRun, small: Settings, data: Path, selection: Selection, client: str | None
) -> None:
    for run in copies(whole):
        _, certificate, _ = erased(run, selection, client)
        assert certificate["shards"] and served(run) != served(whole)
        assert served(run) == served(build(tmp_path / "never", small, data, selection, client))
