"""The ServerApp in deployment: a run of the server's registered clients, told line by line to whoever submitted it.

fedrec| ...           a line for people: what a run says as it goes
fedrec-result {...}   result.json, at the end
fedrec-fault {...}    why there is none: {"message", "code"}, the command's exit code
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flwr.serverapp import Grid

from fedrec.console.visible import visible
from fedrec.deployment.settings import ServerSettings, read_settings
from fedrec.errors import FedrecError, UsageError
from fedrec.files import finite
from fedrec.lock import only_writer
from fedrec.reporting.run_console import ROUND_HEADER, round_line
from server.deployment.lines import FAULT, LINE, RESULT
from server.deployment.preparation import configured, create, prepare, reopened
from server.deployment.registry import nodes_of
from server.registered_grid import RegisteredGrid
from server.results import write_result
from server.run import Run, remove_run
from server.training import run_rounds

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")


def carry_out(grid: Grid, told: Mapping[str, Any], path: Path) -> None:
    """A run from its settings, or from where it stopped, to its result.

    Args:
        told: the run configuration: `out`, `settings` and `resume`.
        path: of server.toml.
    """
    try:
        result = _run(grid, told, read_settings(path, ServerSettings))
    except FedrecError as error:
        print(f"{FAULT}{json.dumps({'message': str(error), 'code': error.exit_code})}", flush=True)
        sys.tracebacklimit = 0  # Flower prints the traceback of what ends a run
        raise
    print(f"{RESULT}{json.dumps(finite(result))}", flush=True)


def _run(grid: Grid, told: Mapping[str, Any], settings: ServerSettings) -> dict[str, Any]:
    name, resumed = str(told["out"]), bool(told["resume"])
    if not _NAME.fullmatch(name):
        raise UsageError(f"out = {name}: a run's name on the server is letters, digits and . _ -")
    folder = settings.state / "runs" / name
    registered = RegisteredGrid(grid, nodes_of(settings))
    with only_writer(folder):
        if resumed and not (folder / "config.json").exists():
            raise UsageError(f"the server has no run {name}")
        tree = json.loads(str(told["settings"]) or "{}")
        runs = reopened(folder) if resumed else create(configured(tree, settings), folder)
        try:
            wanted = tree.get("clients", {}).get("count") if not resumed else None
            runs = prepare(runs, registered, wanted, _say)
        except (FedrecError, OSError):
            if not resumed:
                remove_run(folder)  # so the name is free for a mend
            raise
        return _carried_out(registered.only(runs[0].clients), runs)


def _carried_out(grid: RegisteredGrid, runs: Sequence[Run]) -> dict[str, Any]:
    for run in runs:
        _say(f"{run.config.strategy} in {run.folder.name}")
        _say(ROUND_HEADER)
        run_rounds(grid, run, lambda entry: _say(round_line(entry.content())))
    return write_result(runs[0])


def _say(line: str) -> None:
    print(f"{LINE}{visible(line)}", flush=True)
