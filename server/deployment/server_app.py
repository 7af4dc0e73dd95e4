"""The ServerApp in deployment: a run of the server's registered clients, told line by line to whoever submitted it.

fedrec| ...           a line for people: what a run says as it goes
fedrec-result {...}   result.json, at the end
fedrec-fault {...}    why there is none: {"message", "code"}, the command's exit code

Told of a relay, it hands on for a process of this machine instead (`server.deployment.relay`).
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
from fedrec.files import finite, write_json
from fedrec.lock import only_writer
from fedrec.reporting.run_console import ROUND_HEADER, round_line
from server.deployment.lines import FAULT, LINE, RESULT
from server.deployment.preparation import configured, create, prepare, reopened
from server.deployment.registry import nodes_of
from server.deployment.relay import hand_on, relay_file
from server.registered_grid import RegisteredGrid
from server.remote_folder import SERVER
from server.results import write_result
from server.run import Run, remove_run
from server.training import run_rounds

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")


def carry_out(grid: Grid, told: Mapping[str, Any], path: Path) -> None:
    """A run from its settings, or from where it stopped, to its result; or what another process asks for.

    Args:
        told: the run configuration: `out`, `settings` and `resume`; or `relay`.
        path: of server.toml.
    """
    try:
        settings = read_settings(path, ServerSettings)
        result = _relay(grid, str(told["relay"]), settings) if told.get("relay") else _run(grid, told, settings, path)
    except FedrecError as error:
        print(f"{FAULT}{json.dumps({'message': str(error), 'code': error.exit_code})}", flush=True)
        sys.tracebacklimit = 0  # Flower prints the traceback of what ends a run
        raise
    print(f"{RESULT}{json.dumps(finite(result))}", flush=True)


def _relay(grid: Grid, name: str, settings: ServerSettings) -> dict[str, Any]:
    _check_name("relay", name)
    hand_on(grid, relay_file(settings, name))
    return {}


def _run(grid: Grid, told: Mapping[str, Any], settings: ServerSettings, path: Path) -> dict[str, Any]:
    name, resumed = str(told["out"]), bool(told["resume"])
    _check_name("out", name)
    folder = settings.state / "runs" / name
    registered = RegisteredGrid(grid, nodes_of(settings))
    with only_writer(folder):
        if resumed and not (folder / "config.json").exists():
            raise UsageError(f"the server has no run {name}")
        tree = json.loads(str(told["settings"]) or "{}")
        runs = reopened(folder) if resumed else create(configured(tree, settings), folder)
        try:
            wanted = tree.get("clients", {}).get("count") if not resumed else None
            write_json(folder / SERVER, {"settings": str(path.resolve())})
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


def _check_name(key: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{key} = {name}: a run's name on the server is letters, digits and . _ -")


def _say(line: str) -> None:
    print(f"{LINE}{visible(line)}", flush=True)
