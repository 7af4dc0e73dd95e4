"""`flwr run` with a home, a SuperLink and ports of its own, where the project is importable from the app alone."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import psutil

from tests.cli import ROOT

PARTS = ("fedrec", "clients", "server", "unlearning", "tests", "pyproject.toml", "LICENSE", "README.md", ".gitignore")


class Flower:
    """Flower's command line over a copy of the app; `close` ends the SuperLink that the first run started."""

    def __init__(self, folder: Path) -> None:
        self.app, self.home = folder / "app", folder / "home"
        self.home.mkdir(parents=True)
        (self.home / "config.toml").write_text(
            '[superlink]\ndefault = "local"\n\n[superlink.local]\naddress = ":local:"\n'
        )
        self.ports = free_ports(2)
        self.bin = _environment(folder / "environment")
        self.app.mkdir()
        for name in PARTS:
            path = ROOT / name
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, self.app / name)

    @property
    def environment(self) -> dict[str, str]:
        """Of its commands."""
        environment = os.environ | {
            "FLWR_HOME": str(self.home),
            "FLWR_LOCAL_SUPERLINK_HTTP_API_PORT": str(self.ports[0]),
            "FLWR_LOCAL_CONTROL_API_PORT": str(self.ports[1]),
            "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "FLWR_TELEMETRY_ENABLED": "0",
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
        }
        environment.pop("PYTHONPATH", None)
        return environment

    def __call__(self, *arguments: str, seconds: float = 300) -> str:
        """What `flwr` with the arguments prints, in the app's folder, without colours."""
        done = subprocess.run(
            ["flwr", *arguments], cwd=self.app, env=self.environment, umask=0o022, timeout=seconds, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)

    def run(self, nodes: int, **settings: object) -> str:
        """What a run of the app over so many simulated nodes prints."""
        given = " ".join(f'{key}="{value}"' for key, value in settings.items())
        federation = f"num-supernodes={nodes} client-resources-num-cpus=1 init-args-num-cpus=2"
        return self("run", ".", "local", "--stream", "-c", given, "--federation-config", federation)

    def close(self) -> None:
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if any("flower-superlink" in word for word in words) and any(str(self.ports[0]) in word for word in words):
                for child in [process, *process.children(recursive=True)]:
                    child.kill()


def _environment(folder: Path) -> Path:
    """The scripts of an environment that has everything the tests' has, but for the project itself.

    Packages are found by a path of their folder, where `.pth` files of editable projects have no effect.
    """
    venv.create(folder, symlinks=True)
    packages = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    (packages / "tests.pth").write_text("\n".join({sysconfig.get_path(name) for name in ("purelib", "platlib")}))
    for script in Path(sys.executable).parent.glob("fl*w*r*"):
        _, _, body = script.read_text("utf-8").partition("\n")
        (folder / "bin" / script.name).write_text(f"#!{folder / 'bin' / 'python'}\n{body}", "utf-8")
        (folder / "bin" / script.name).chmod(0o755)
    return folder / "bin"


def free_ports(count: int) -> list[int]:
    """So many ports on loopback that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
