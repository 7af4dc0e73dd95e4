"""A run submitted to a deployed federation, by `flwr run`, from wherever its Control API is reached.

The app that is submitted is two lines: server and clients run what is installed on their own machines. What comes back
are the lines of `server.deployment.server_app`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedrec.deployment.flower import environment, script
from fedrec.deployment.settings import ServerSettings, read_settings
from fedrec.errors import FedrecError, UsageError
from fedrec.text import one_line
from server.deployment.host import CONNECTION, flower_home, write_connection
from server.deployment.lines import FAULT, LINE, RESULT

_STARTED = re.compile(r"Successfully started run (\d+)")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_PROJECT = """\
[project]
name = "fedrec-deployed"
version = "1.0.0"
license = "Apache-2.0"
dependencies = []

[tool.flwr.app]
publisher = "fedrec"
fab-include = ["*.py"]

[tool.flwr.app.components]
serverapp = "deployed_server:app"
clientapp = "deployed_client:app"

[tool.flwr.app.config]
settings = ""
out = ""
resume = false
relay = ""
"""
_MODULES = {"deployed_server": "server.app", "deployed_client": "clients.app"}


@dataclass(frozen=True)
class Connection:
    """How a SuperLink's Control API is reached.

    Attributes:
        name: of Flower's connection.
        variables: of the environment in which it is known.
    """

    name: str
    variables: Mapping[str, str]

    @classmethod
    def named(cls, on: str) -> Connection:
        """
        Args:
            on: a server.toml on the server's own machine, or a connection of $FLWR_HOME/config.toml.
        """
        if on.endswith(".toml"):
            settings = read_settings(Path(on), ServerSettings)
            write_connection(settings)
            return cls(CONNECTION, environment(flower_home(settings)))
        home = Path(os.environ.get("FLWR_HOME") or Path.home() / ".flwr")
        return cls(on, environment(home))

    def command(self, *words: str) -> list[str]:
        return [str(script("flwr")), *words]


class Submission:
    """One run, while it is carried out there."""

    def __init__(self, connection: Connection, told: Mapping[str, str | bool]) -> None:
        """
        Args:
            told: what the ServerApp is told, of the keys in `_PROJECT`.
        """
        self._connection, self._id, self._told = connection, "", told

    @classmethod
    def of_run(cls, connection: Connection, out: str, tree: Mapping[str, Any], resume: bool) -> Submission:
        """Train, as `out` is called there."""
        return cls(connection, {"out": out, "settings": json.dumps(tree, ensure_ascii=False), "resume": resume})

    def result(self, say: Callable[[str], None]) -> dict[str, Any]:
        """The run's result.

        Args:
            say: told each line that the run says.

        Raises:
            FedrecError: it failed there, or nobody answers.
            KeyboardInterrupt: it was stopped here, and is stopped there as well.
        """
        said: list[str] = []
        try:
            for line in self._lines():
                if line.startswith(RESULT):
                    result: dict[str, Any] = json.loads(line.removeprefix(RESULT))
                    return result
                if line.startswith(FAULT):
                    raise _fault(json.loads(line.removeprefix(FAULT)))
                if line.startswith(LINE):
                    say(line.removeprefix(LINE))
                elif line.strip():
                    said.append(line)
        except KeyboardInterrupt:
            self.stop()
            raise
        telling = [line for line in said if "rror" in line] or said or ["it said nothing"]
        raise FedrecError(f"--on {self._connection.name}: no result; {one_line(telling[-1])}")

    def stop(self) -> None:
        """Have the run end there; it can be resumed."""
        if self._id:
            words = self._connection.command("stop", self._id, self._connection.name)
            known = {**os.environ, **self._connection.variables}
            subprocess.run(words, env=known, capture_output=True, check=False, timeout=60, start_new_session=True)

    def _lines(self) -> Iterator[str]:
        with _app() as app, tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".toml") as told:
            for key, value in self._told.items():
                told.write(f"{key} = {json.dumps(value, ensure_ascii=False)}\n")
            told.flush()
            words = ["run", str(app), self._connection.name, "--stream", "--run-config", told.name]
            process = subprocess.Popen(
                self._connection.command(*words), env={**os.environ, **self._connection.variables, "COLUMNS": "10000"},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                errors="replace", start_new_session=True,
            )  # fmt: skip
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    line = _COLOURS.sub("", line.rstrip("\n"))
                    if started := _STARTED.search(line):
                        self._id = started[1]
                    yield line
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextmanager
def _app() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pyproject.toml").write_text(_PROJECT)
        for module, real in _MODULES.items():
            (Path(folder) / f"{module}.py").write_text(f"from {real} import app as real\n\napp = real\n")
        yield Path(folder)


def _fault(told: Mapping[str, Any]) -> FedrecError:
    kind = UsageError if told.get("code") == UsageError.exit_code else FedrecError
    return kind(f"on the server: {told.get('message')}")
