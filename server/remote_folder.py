"""The folders of a run that a deployed federation carries out: the submitter's, and the server's own.

deployed.json    in the submitter's: how the server is reached, and the run's name there
server.json      in the server's, STATE/runs/NAME: its server.toml
"""

from __future__ import annotations

from pathlib import Path

from fedrec.errors import UsageError, command

DEPLOYED = "deployed.json"
SERVER = "server.json"


def is_remote(folder: Path) -> bool:
    """Whether it is a submitter's."""
    return (folder / DEPLOYED).is_file()


def is_deployed(folder: Path) -> bool:
    """Whether it is of a deployed federation's run, on either side."""
    return is_remote(folder) or (folder / SERVER).is_file()


def on_server(folder: Path) -> tuple[Path, Path]:
    """The run's folder on the server, and its server.toml.

    Raises:
        UsageError: they are not on this machine.
    """
    from fedrec.deployment.settings import ServerSettings, read_settings
    from fedrec.files import read_json

    if not is_remote(folder):
        return folder, Path(read_json(folder / SERVER)["settings"])
    known = read_json(folder / DEPLOYED)
    toml = Path(known["on"])
    if toml.suffix != ".toml":
        raise UsageError(f"{folder}: a run of {toml}, whose adapters and requests are on the server: do it there")
    run = read_settings(toml, ServerSettings).state / "runs" / known["name"]
    if not (run / "config.json").exists():
        raise UsageError(
            f"{folder}: the server has no run {known['name']}; {command('simulate --resume', folder)} makes it"
        )
    return run, toml
