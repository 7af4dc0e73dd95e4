"""A federation that is killed at any message resumes to the same adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flwr.app import Context, Message

from clients.app import app as client_app
from server import prepare
from server.launch import simulate
from server.simulated_run import open_run
from server.training import run_rounds
from server.transports.in_process import LocalGrid
from tests.conftest import Settings
from tests.server.test_federation import made, ran, result_of


class Dying:
    """The real client app in a process that dies at its n-th message."""

    def __init__(self, alive: int) -> None:
        self.alive = alive

    def __call__(self, message: Message, context: Context) -> Message:
        self.alive -= 1
        if self.alive < 0:
            raise KeyboardInterrupt
        return client_app(message, context)


@pytest.fixture(scope="module", params=["pplr", "ditto"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, small: Settings) -> dict[str, Any]:
    """What a run of a strategy gives that nothing stops."""
    return ran(tmp_path_factory.mktemp("whole") / "run", small(strategy=request.param))


@pytest.mark.parametrize("alive", [0, 3, 5, 7, 10, 13])
def test_a_killed_run_resumes_to_the_same_hash(
    whole: dict[str, Any], alive: int, tmp_path: Path, small: Settings
) -> None:
    strategy = whole["strategy"]
    run = made(tmp_path / "killed", small(strategy=strategy))
    with pytest.raises(KeyboardInterrupt):
        run_rounds(LocalGrid(Dying(alive), run.nodes()), run)  # type: ignore[arg-type]
    again = open_run(run.folder)
    simulate(prepare.finish(again))
    assert result_of(again)["adapter_hash"] == whole["adapter_hash"]
    simulate(again)  # a finished run has nothing left to do
    assert result_of(again)["adapter_hash"] == whole["adapter_hash"]
