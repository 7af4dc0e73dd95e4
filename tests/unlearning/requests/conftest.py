"""Each ledger test runs on SQLite and, where the server's programs are, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unlearning.requests.office import Office
from tests.unlearning.requests.postgres import Server, running_server, server_programs


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    programs = server_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server on this machine")
    with running_server(programs) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    server: Server = request.getfixturevalue("postgres")
    return server.empty_database()


@pytest.fixture
def opened(url: str, tmp_path: Path) -> Iterator[Callable[..., Office]]:
    """Opens the office, as often as called, with the policy's settings given."""
    offices = []

    def open_office(**policy: Any) -> Office:
        offices.append(Office(url, tmp_path / "keys", **policy))
        return offices[-1]

    yield open_office
    for office in offices:
        office.ledger.close()


@pytest.fixture
def office(opened: Callable[..., Office]) -> Office:
    return opened()
