"""A federation on Flower's Ray simulation: the same two apps, the clients in processes of their own."""

from __future__ import annotations

import importlib.util
import logging
import os
import threading
import warnings
from collections.abc import Callable
from typing import Any, cast

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from fedrec.errors import FedrecError

_QUIET = {
    "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",  # no stack trace for being told to stop
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # workers see the GPUs, though Ray counts none
}


def run_on_ray(rounds: Callable[[Grid], None], clients: int, workers: int) -> None:
    """Call `rounds` with a grid of `clients` nodes that `workers` Ray processes play.

    Raises:
        FedrecError: Ray is not installed; or what `rounds` raised.
        KeyboardInterrupt: Ctrl-C, or SIGTERM, for which Ray has a handler of its own. No process is left behind, but
            threads of Flower's may wait for ever for an answer of Ray's: leave the interpreter by `os._exit`.
    """
    if importlib.util.find_spec("ray") is None:
        raise FedrecError("--workers needs Ray: pip install 'fedrec[simulation]', or use --workers 0")
    os.environ.update(_QUIET)
    from flwr.simulation import run_simulation

    from clients.app import app as client_app

    stop = threading.Event()
    server_app = ServerApp()

    @server_app.main()
    def main(grid: Grid, context: Context) -> None:
        rounds(cast(Grid, _Stoppable(grid, stop)))

    # Ray counts tokens, not cores: each client takes one of `workers`, and computes with the run's own threads.
    backend: dict[str, dict[str, Any]] = {
        "init_args": {"address": "local", "num_cpus": workers, "include_dashboard": False, "log_to_driver": False},
        "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
    }
    logging.getLogger("flwr").setLevel(logging.CRITICAL)  # a client's failure is told by the round that dropped it
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run_simulation(server_app, client_app, clients, backend_config=backend)
    except (KeyboardInterrupt, SystemExit):
        import ray

        ray.shutdown()  # Flower does it too, unless Ray was still starting
        raise KeyboardInterrupt from None
    finally:
        stop.set()


class _Stoppable:
    """A grid that refuses everything once `stop` is set: Ctrl-C reaches the main thread, the rounds run in another."""

    def __init__(self, grid: Grid, stop: threading.Event) -> None:
        self._grid, self._stop = grid, stop

    def __getattr__(self, name: str) -> Any:
        if self._stop.is_set():
            raise FedrecError("stopped")
        return getattr(self._grid, name)
