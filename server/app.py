"""The Flower ServerApp: prepares the run named by the run configuration, or continues it, and runs its rounds.

flwr run . local --stream -c 'config="run.toml" out="runs/one"'
"""

from __future__ import annotations

from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from fedrec import config as configuration
from fedrec.errors import UsageError
from fedrec.store import Run
from server.simulation import run_rounds

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the federation of `config` (a TOML file, optional) in the folder `out`."""
    from server.prepare import finish, prepare

    settings = context.run_config
    out = str(settings.get("out") or "")
    if not Path(out).is_absolute():
        raise UsageError(f"out = {out!r}: name the run's folder by an absolute path, -c 'out=\"/path/to/run\"'")
    folder = Path(out)
    if (folder / "config.json").exists():
        run = finish(Run(folder))
    else:
        path = str(settings.get("config") or "")
        run = prepare(configuration.load(Path(path) if path else None), folder)
    run_rounds(grid, run)
