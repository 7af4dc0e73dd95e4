"""Server and clients as two users who cannot read each other's folders: the same adapters, over whatever transport."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from flwr.app import Context, Message

from clients.app import app as client_app
from fedrec.config import load
from fedrec.protocol.questions import Inform
from server.prepare import prepare
from server.run import Run
from server.training import run_rounds
from server.transports.in_process import LocalGrid
from tests.conftest import Settings
from tests.server.flower import Flower, free_ports
from tests.server.test_federation import ran, result_of

SERVER, CLIENTS = 61_001, 61_002  # nobody of these numbers need be known here

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two other users")


@dataclass(frozen=True)
class Apart:
    """A prepared run whose folder the server alone can open, and homes that the clients alone can open.

    Attributes:
        place: both are in it, with whatever both may read.
        hash: of the adapters that the same run gives in one place.
    """

    place: Path
    hash: str

    @property
    def run(self) -> Run:
        return Run(self.place / "server" / "run")

    @property
    def homes(self) -> list[Path]:
        return [self.place / "clients" / name for name in ("client-0", "client-1")]

    @property
    def base(self) -> Path:
        return self.place / "base"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, small: Settings, tiny_base: Path) -> Iterator[Apart]:
    place = Path(tempfile.mkdtemp())
    shutil.copytree(tiny_base, place / "base")
    settings = small(base=str(place / "base"), shards=2, clients__count=2, federation__rounds=1, train__epochs=1)
    expected = ran(tmp_path_factory.mktemp("together") / "run", settings)["adapter_hash"]
    prepare(load(overrides=settings), place / "server" / "run", place / "clients")
    yield Apart(place, str(expected))
    shutil.rmtree(place)


@pytest.fixture
def apart(original: Apart) -> Iterator[Apart]:
    copy = Apart(Path(tempfile.mkdtemp()), original.hash)
    shutil.copytree(original.place, copy.place, dirs_exist_ok=True)
    copy.place.chmod(0o755)
    for settings in copy.place.glob("clients/*/client.toml"):
        settings.write_text(settings.read_text().replace(str(original.base), str(copy.base)))
    for folder, user, mode in (("server", SERVER, 0o700), ("clients", CLIENTS, 0o700), ("base", 0, 0o755)):
        for path in (copy.place / folder, *(copy.place / folder).rglob("*")):
            os.chown(path, user, user)
            path.chmod(mode if path.is_dir() else mode & 0o644)
    yield copy
    shutil.rmtree(copy.place)


@contextmanager
def being(user: int) -> Iterator[None]:
    """This process as another user."""
    before = os.geteuid()
    os.seteuid(0)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.seteuid(before)


def test_neither_can_open_what_is_the_others(apart: Apart) -> None:
    for user, theirs in ((SERVER, apart.homes[0]), (CLIENTS, apart.run.folder)):
        with being(user), pytest.raises(PermissionError):
            list(theirs.iterdir())


class OnTheirOwnSide:
    """The client app as the clients' user, while the server's is another; counts what the clients had to be told."""

    def __init__(self) -> None:
        self.told = 0

    def __call__(self, message: Message, context: Context) -> Message:
        self.told += message.metadata.message_type == Inform.kind
        with being(CLIENTS):
            return client_app(message, context)


def test_in_one_process(apart: Apart) -> None:
    """The run's facts are told each client once, also where the run goes on later."""
    app = OnTheirOwnSide()
    nodes = [{"home": str(home), "base": str(apart.base)} for home in apart.homes]
    with being(SERVER):
        for _ in range(2):
            run_rounds(LocalGrid(app, nodes), apart.run)  # type: ignore[arg-type]
            assert result_of(apart.run)["adapter_hash"] == apart.hash  # type: ignore[arg-type]
    assert app.told == len(apart.homes)


APP = """
import ctypes
import os

from flwr.{side}app import {kind}

from {module}.app import app as real


class Apart({kind}):
    def __call__(self, *arguments, **named):
        ctypes.CDLL(None).setfsuid({user})  # of this thread, as server and clients may be threads of one process
        try:
            try:
                os.listdir("{others}")
                raise RuntimeError("the other side is open")
            except PermissionError:
                pass
            return real(*arguments, **named)
        finally:
            ctypes.CDLL(None).setfsuid(0)


app = Apart()
"""


@pytest.fixture
def flower(apart: Apart) -> Iterator[Flower]:
    flower = Flower(apart.place / "flower")
    for path in (apart.place / "flower", *(apart.place / "flower").rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
    yield flower
    flower.close()


@pytest.mark.slow
def test_in_flowers_simulation(apart: Apart, flower: Flower) -> None:
    for module, side, kind, user, others in (
        ("server", "server", "ServerApp", SERVER, apart.homes[0]),
        ("clients", "client", "ClientApp", CLIENTS, apart.run.folder),
    ):
        code = APP.format(module=module, side=side, kind=kind, user=user, others=others)
        (flower.app / module / "apart.py").write_text(code)
    about = (flower.app / "pyproject.toml").read_text()
    about = about.replace('"server.app:app"', '"server.apart:app"').replace('"clients.app:app"', '"clients.apart:app"')
    (flower.app / "pyproject.toml").write_text(about)
    told = flower.run(2, out=apart.run.folder, homes=apart.homes[0].parent)
    assert (apart.run.folder / "result.json").exists(), told
    assert result_of(apart.run)["adapter_hash"] == apart.hash  # type: ignore[arg-type]


def hidden(folder: Path) -> list[str]:
    """Words before a command that may see everything but a folder, in which it finds nothing."""
    return ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(folder)]


@pytest.mark.slow
@pytest.mark.skipif(
    subprocess.run([*hidden(Path("/mnt")), "true"], capture_output=True, check=False).returncode != 0,
    reason="no folder can be hidden from a process here (unshare --mount)",
)
def test_over_a_superlink_and_supernodes(apart: Apart, flower: Flower) -> None:
    """Processes on loopback, from each of which the other side's folder is hidden."""
    superlink, *own = map(str, free_ports(1 + len(apart.homes)))
    with ExitStack() as stack:
        start(
            stack, flower, apart.place / "superlink", *hidden(apart.homes[0].parent), "flower-superlink", "--insecure",
            "--host", "127.0.0.1", "--port", superlink,
        )  # fmt: skip
        wait_for(superlink)
        for home, port in zip(apart.homes, own, strict=True):
            start(
                stack, flower, apart.place / home.name, *hidden(apart.run.folder.parent), "flower-supernode",
                "--insecure", "--superlink", f"127.0.0.1:{superlink}", "--port", port,
                "--node-config", f'home="{home}" base="{apart.base}"',
            )  # fmt: skip
        (flower.home / "config.toml").write_text(
            f'[superlink]\ndefault = "here"\n\n[superlink.here]\naddress = "127.0.0.1:{superlink}"\ninsecure = true\n'
        )
        told = flower("run", ".", "here", "--stream", "-c", f'out="{apart.run.folder}"', seconds=500)
        logs = [path.read_text()[-2000:] for path in apart.place.glob("*/log")]
    assert (apart.run.folder / "result.json").exists(), (told, *logs)
    assert result_of(apart.run)["adapter_hash"] == apart.hash  # type: ignore[arg-type]


def start(stack: ExitStack, flower: Flower, kept: Path, *words: str) -> None:
    """A process with a folder for what Flower keeps, which is ended with the stack."""
    kept.mkdir()
    environment = flower.environment | {"FLWR_HOME": str(kept)}
    log = stack.enter_context((kept / "log").open("w"))
    process = subprocess.Popen(words, cwd=kept, stdout=log, stderr=subprocess.STDOUT, env=environment)
    stack.callback(end, process)


def wait_for(port: str, seconds: float = 120.0) -> None:
    """Until somebody listens there."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                return
        time.sleep(0.2)
    raise AssertionError(f"nobody listens on port {port}")


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it started."""
    for each in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        each.kill()
    process.wait(30)
