"""Processes that use one ledger at once: what only one may do, one does."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fedrec.errors import FedrecError
from tests.unlearning.requests.office import Office
from unlearning.requests.states import State

ROUNDS = 8


def compete(url: str, folder: Path, number: int, requests: list[str]) -> dict[str, list[Any]]:
    """One of several processes that try the same things; what came of each."""
    office = Office(url, folder, max_submissions_per_hour=ROUNDS + 5)
    moved: list[int | None] = []
    for id in requests:
        try:
            if number % 2:
                office.refuse(office.ledger.get(id))
            else:
                office.ledger.advance(id, State.QUARANTINED)
            moved.append(number % 2)
        except FedrecError:
            moved.append(None)
    submitted = [office.user(f"same {n}").id for n in range(5)]
    told = [facts["request"] for kind, facts in office.events if kind in ("advanced", "refused")]
    office.ledger.close()
    return {"moved": moved, "submitted": submitted, "told": told}


def outcomes(pool: Any, url: str, folder: Path, requests: list[str]) -> list[dict[str, list[Any]]]:
    futures = [pool.submit(compete, url, folder, number, requests) for number in range(4)]
    return [future.result() for future in futures]


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_one_wins(opened: Callable[..., Office], url: str, tmp_path: Path, kind: str) -> None:
    office = opened()
    requests = [office.plan(office.user(f"user {n}"), n).id for n in range(ROUNDS)]
    spawned = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(4) if kind == "threads" else ProcessPoolExecutor(4, mp_context=spawned) as pool:
        results = outcomes(pool, url, tmp_path / "keys", requests)
    for place, id in enumerate(requests):
        ways = {result["moved"][place] for result in results} - {None}
        assert len(ways) == 1
        assert office.ledger.get(id).state is (State.REFUSED if ways == {1} else State.QUARANTINED)
        assert sum(result["told"].count(id) for result in results) == 1
    assert len({tuple(result["submitted"]) for result in results}) == 1
    assert len(office.ledger.list()) == ROUNDS + 5


def test_a_flood_from_many_sides_is_counted_as_one(url: str, tmp_path: Path) -> None:
    def flood(number: int) -> int:
        office = Office(url, tmp_path / "keys", max_submissions_per_hour=10)
        let_in = 0
        for n in range(5):
            try:
                office.user(f"user {number} {n}")
                let_in += 1
            except FedrecError:
                pass
        office.ledger.close()
        return let_in

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(flood, range(4))) == 10


def test_many_can_open_a_new_ledger_at_once(tmp_path: Path) -> None:
    """To turn on SQLite's log ahead of writing is the one thing for which it does not wait its turn."""

    def opened(number: int) -> None:
        Office(f"sqlite:///{tmp_path}/{number // 8}/ledger.db", tmp_path / "keys").ledger.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(opened, range(160)))
