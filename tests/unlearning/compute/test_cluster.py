"""Shards on a Ray cluster of two nodes, and workers and drivers that die: the same bytes in the end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from fedrec.errors import FedrecError
from tests.conftest import Settings
from tests.unlearning.models import Maker, same
from unlearning.central.model import ShardedModel
from unlearning.compute.ray_tasks import RayTasks

pytestmark = pytest.mark.slow
RAY = str(Path(sys.executable).with_name("ray"))
ROOT = Path(__file__).parents[3]


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a cluster of two nodes of one core each, which ends with the test."""
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("RAY_DISABLE_IMPORT_WARNING", "1")
    head = [
        "--head",
        f"--port={address.split(':')[1]}",
        "--include-dashboard=false",
        f"--temp-dir=/tmp/ray-{os.getpid()}",
    ]
    ports = ["--min-worker-port=0", "--max-worker-port=0"]  # any that are free
    nodes = []
    try:
        for number, how in enumerate((head, [f"--address={address}"])):
            log = (tmp_path / f"node-{number}.log").open("w")
            command = [RAY, "start", "--block", "--num-cpus=1", "--node-ip-address=127.0.0.1", *how, *ports]
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
            nodes.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True))
            if number == 0:
                wait_for(address, nodes[0], tmp_path)
        until = time.monotonic() + 60
        while "Ray runtime started" not in (tmp_path / "node-1.log").read_text() and time.monotonic() < until:
            time.sleep(0.1)  # else the work may be done before the second node has joined
        yield address
    finally:
        for node in reversed(nodes):
            family = [psutil.Process(node.pid), *psutil.Process(node.pid).children(recursive=True)]
            node.terminate()
            _, alive = psutil.wait_procs(family, timeout=10)
            for process in alive:
                process.kill()


def wait_for(address: str, node: subprocess.Popen[bytes], logs: Path, seconds: float = 60) -> None:
    host, port = address.split(":")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert node.poll() is None, (logs / "node-0.log").read_text()
        with socket.socket() as asking:
            if asking.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.2)
    raise AssertionError((logs / "node-0.log").read_text())


def test_an_existing_cluster_trains_the_same_model(maker: Maker, cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = maker.trained("strict-hash", shards=4)
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    import ray

    nodes = set()
    model = maker.create("strict-hash", shards=4)

    def on_step(*_: int) -> None:
        nodes.update(node["NodeID"] for node in ray.nodes() if node["Alive"])

    model.train(RayTasks(2), on_step)
    assert len(nodes) == 2
    same(model, wanted)


def test_a_cluster_that_is_not_there_is_told(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(FedrecError, match=f"RAY_ADDRESS = {address}: cannot be reached"):
        maker.trained("strict-hash", RayTasks(2))


@pytest.mark.parametrize("shards_done", [0, 1, 2])
def test_a_driver_that_dies_is_resumed_and_trains_only_what_is_missing(
    tmp_path: Path, small: Settings, shards_done: int
) -> None:
    maker = Maker(tmp_path, small(train__epochs=6))
    model = maker.create("strict-hash", shards=3)
    driver = (
        "import sys; from pathlib import Path; from unlearning.central.model import ShardedModel; "
        "ShardedModel(Path(sys.argv[1])).train()"
    )
    process = subprocess.Popen([sys.executable, "-c", driver, str(model.folder)], cwd=ROOT)
    written = [model.folder / "shards" / f"{shard:04d}" / "shard.json" for shard in range(3)]
    end = time.monotonic() + 120
    while sum(path.exists() for path in written) < shards_done or not (model.folder / "shards").parent.exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = sum(path.exists() for path in written)
    assert done >= shards_done
    again = ShardedModel(model.folder)
    assert len(again.train().shards) == 3 - done
    same(again, maker.trained("strict-hash", shards=3))
