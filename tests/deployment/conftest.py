"""A deployed federation in this process: its clients' homes, its server's folder, and a simulation of the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flwr.app import Message

from clients.app import app as client_app
from fedrec.deployment.keys import make_keys
from fedrec.errors import FedrecError
from server.deployment.lines import FAULT, LINE, RESULT
from server.deployment.server_app import carry_out
from server.simulated_run import SimulatedRun
from server.transports.in_process import LocalGrid, node_of
from tests.conftest import Settings
from tests.server.test_federation import made, simulate

CONFIGURED = {"shards": 2, "train__epochs": 1}


@dataclass(frozen=True)
class Simulated:
    """Homes that no run has seen, and what a simulation over the same gives."""

    homes: Path
    run: SimulatedRun


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> Simulated:
    run = made(tmp_path_factory.mktemp("simulated") / "run", small(**CONFIGURED))
    kept = run.folder.parent / "kept"
    shutil.copytree(run.homes_folder, kept)
    simulate(run)
    return Simulated(kept, run)


class Reached(LocalGrid):
    """A grid of a federation's clients, some of whom are not connected."""

    def __init__(self, federation: Federation) -> None:
        super().__init__(client_app, [{"home": str(federation.homes / name)} for name in federation.names])
        self._federation = federation

    def get_node_ids(self) -> list[int]:
        return [node for node in super().get_node_ids() if self._name(node) not in self._federation.away]

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        pushed = list(messages)
        for message in pushed:
            data = message.content.array_records["record"]["bytes"].numpy().tobytes()
            self._federation.heard.append((self._name(node_of(message)), data))
        return super().push_messages(pushed)

    def _name(self, node: int) -> str:
        return self._federation.names[node - 1]


@dataclass
class Federation:
    """
    Attributes:
        toml: the server's settings.
        tree: what is set of a run.
        names: of the clients, in the order of their nodes, which are numbered from 1.
        away: clients that are not connected.
        heard: what each was told, by name.
    """

    homes: Path
    toml: Path
    tree: dict[str, Any]
    names: list[str]
    away: set[str] = field(default_factory=set)
    heard: list[tuple[str, bytes]] = field(default_factory=list)

    def register(self, nodes: Mapping[str, int] | None = None) -> None:
        known = nodes or {name: place for place, name in enumerate(self.names, 1)}
        self.state.mkdir(exist_ok=True)
        (self.state / "nodes.json").write_text(json.dumps({name: str(node) for name, node in known.items()}))

    @property
    def state(self) -> Path:
        return self.toml.parent / "state"

    def carry_out(self, told: Mapping[str, Any]) -> None:
        """What the ServerApp does of a run configuration."""
        carry_out(Reached(self), told, self.toml)


def federation_in(folder: Path, simulated: Simulated, settings: Settings) -> Federation:
    """One whose clients' homes no run has seen."""
    shutil.copytree(simulated.homes, folder / "homes")
    names = sorted(home.name for home in simulated.homes.iterdir())
    make_keys(folder / "keys", names, ["localhost"], 9443)
    toml = folder / "keys" / "server" / "server.toml"
    toml.write_text(toml.read_text() + f'catalogue = "{simulated.run.folder / "catalogue.json"}"\n')
    plain = {key: value for key, value in settings(**CONFIGURED).items() if not key.startswith(("data.", "clients."))}
    tree: dict[str, Any] = {}
    for key, value in plain.items():
        section, _, name = key.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[name] = value
    made = Federation(folder / "homes", toml, tree, names)
    made.register()
    return made


@pytest.fixture
def federation(tmp_path: Path, simulated: Simulated, small: Settings) -> Federation:
    return federation_in(tmp_path, simulated, small)


Carry = Callable[..., tuple[list[str], dict[str, Any]]]


@pytest.fixture
def carry(federation: Federation, capsys: pytest.CaptureFixture[str]) -> Carry:
    """Carry a run out; gives the lines for people, and what the last line says."""

    def carried(
        registered: dict[str, int] | None = None, out: str = "one", resume: bool = False, **more: Any
    ) -> tuple[list[str], dict[str, Any]]:
        federation.register(registered)
        with suppress(FedrecError):
            federation.carry_out({"out": out, "settings": json.dumps({**federation.tree, **more}), "resume": resume})
        *lines, last = capsys.readouterr().out.splitlines()
        return [line.removeprefix(LINE) for line in lines], json.loads(last.removeprefix(RESULT).removeprefix(FAULT))

    return carried
