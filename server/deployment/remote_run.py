"""A run that is carried out by a deployed federation, as a folder here has it.

deployed.json            how the server is reached, and the run's name there
result.json, report.html as of a run on this machine; fetched at its end
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedrec import config as configuration
from fedrec import lock
from fedrec.errors import FedrecError, Interrupted, UsageError, command, did_you_mean
from fedrec.files import read_json, write_json
from fedrec.lock import only_writer
from fedrec.options import new_folder
from fedrec.registry import STRATEGIES
from server.deployment.submission import Connection, Submission
from server.remote_folder import DEPLOYED, is_remote

Say = Callable[[str], None]


@dataclass(frozen=True)
class RemoteRun:
    """What is known here of a finished one."""

    folder: Path
    result: dict[str, Any]

    @property
    def report(self) -> Path:
        return self.folder / "report.html"


def settings_tree(
    overrides: Mapping[str, Any], strategies: Sequence[str], path: Path | None, sets: Sequence[str]
) -> dict[str, Any]:
    """What is set of a run's configuration, and nothing of this machine.

    Raises:
        UsageError: names every wrong key and value, before anything is sent.
    """
    for name in strategies:
        if name not in STRATEGIES:
            raise UsageError(f"--strategy {name}: choose {', '.join(STRATEGIES)}{did_you_mean(name, STRATEGIES)}")
    named = {"strategy": strategies[0], "baselines": list(strategies[1:])} if strategies else {}
    config = configuration.load(path, {**overrides, **named}, tuple(sets))
    tree: dict[str, Any] = json.loads(config.model_dump_json(exclude_unset=True))
    if "data" in tree:
        raise UsageError("--on: clients have the data, the server has the titles: leave out --data and data.*")
    if config.base is not None and Path(config.base).is_dir():
        tree["base"] = str(Path(config.base).resolve())  # where server and submitter are one machine
    return tree


def start(on: str, tree: Mapping[str, Any], folder: Path | None, say: Say, replace: bool = False) -> RemoteRun:
    """A new run there, with its result here.

    Raises:
        FedrecError: it failed there, or nobody answers.
        Interrupted: stopped; `resume` goes on.
    """
    connection = Connection.named(on)
    folder = new_folder(folder, str(tree.get("strategy", "pplr")))
    with _writing(folder):
        if replace and is_remote(folder):
            lock.empty(folder)
        if lock.content(folder):
            raise UsageError(f"{folder} is not empty: choose another --out")
        name = f"{folder.name[:60]}-{secrets.token_hex(4)}"
        said = str(Path(on).resolve()) if on.endswith(".toml") else on
        write_json(folder / DEPLOYED, {"on": said, "name": name})
        return _carried_out(folder, Submission.of_run(connection, name, tree, resume=False), say)


def resume(folder: Path, say: Say, on: str | None = None) -> RemoteRun:
    """A run that was stopped, finished there; otherwise as `start`."""
    known = read_json(folder / DEPLOYED)
    connection = Connection.named(on or known["on"])
    with _writing(folder):
        return _carried_out(folder, Submission.of_run(connection, known["name"], {}, resume=True), say)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    with only_writer(folder):
        try:
            yield
        except KeyboardInterrupt:
            raise Interrupted(f"stopped there, too; continue with {command('simulate --resume', folder)}") from None


def _carried_out(folder: Path, submission: Submission, say: Say) -> RemoteRun:
    from fedrec.reporting.run_page import write_report

    result = submission.result(say)
    try:
        write_json(folder / "result.json", result)
        write_report(result, folder / "report.html")
    except (KeyError, TypeError) as error:
        raise FedrecError(f"the server's result is none ({error!r}): is the same version of fedrec there?") from None
    return RemoteRun(folder, result)
