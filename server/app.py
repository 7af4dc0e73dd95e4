"""The Flower ServerApp: prepares the run named by the run configuration, or continues it, and runs its rounds.

flwr run . local --stream -c 'config="/path/to/run.toml" out="/path/to/run" homes="/path/to/homes"' \
    --federation-config 'num-supernodes=5'

Where FEDREC_SERVER names a server.toml (`fedrec deploy server`), the run is of that server's registered clients, and
`out` is its name there: `server.deployment.server_app`.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

import fedrec.models.adapter_bank  # noqa: F401  first in both apps: Flower imports them in two threads at once
from fedrec import config as configuration
from fedrec.console.visible import visible
from fedrec.errors import FedrecError, UsageError
from fedrec.lock import only_writer
from fedrec.reporting.run_console import ROUND_HEADER, round_line
from server.run import Run
from server.simulated_run import SimulatedRun
from server.training import run_rounds

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the federation of `config` (a TOML file; empty = the defaults) in the folder `out`."""
    if deployed := os.environ.get("FEDREC_SERVER"):
        from server.deployment.server_app import carry_out

        return carry_out(grid, context.run_config, Path(deployed))
    try:
        config, out = _path(context, "config"), _path(context, "out")
        if out is None:
            raise UsageError("out is empty: name the run's folder, flwr run -c 'out=\"/path/to/run\"'")
        with only_writer(out):
            run = _run(config, out, _path(context, "homes"))
            print(f"{run.config.strategy} in {run.folder}", ROUND_HEADER, sep="\n", flush=True)
            run_rounds(grid, run, lambda entry: print(visible(round_line(entry.content())), flush=True))
            print(visible(f"fedrec report {shlex.quote(str(out))} writes the page"), flush=True)
    except FedrecError:
        sys.tracebacklimit = 0  # Flower prints the traceback of what ends a run; the user needs the one line
        raise


def _run(config: Path | None, out: Path, homes: Path | None) -> Run:
    """The run, prepared: on one machine together with its clients' homes, which are nobody's business otherwise."""
    from server.prepare import finish, prepare

    run = SimulatedRun(out)
    if not (out / "config.json").exists():
        return prepare(configuration.load(config), out, homes)
    return Run(out) if run.prepared else finish(run)


def _path(context: Context, key: str) -> Path | None:
    """A path of the run configuration: absolute, as the app runs in a folder of Flower's."""
    value = str(context.run_config.get(key) or "")
    if value and not Path(value).is_absolute():
        raise UsageError(f"{key} = {value}: write an absolute path, flwr run -c '{key}=\"{Path.home() / value}\"'")
    return Path(value) if value else None
