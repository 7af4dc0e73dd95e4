"""What the tests share: a tiny base model, a small data set, and runs over them in this process."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import settings

if TYPE_CHECKING:
    from server.simulated_run import SimulatedRun

settings.register_profile("fedrec", deadline=None, derandomize="CI" in os.environ)  # CI is not for new luck
settings.load_profile("fedrec")
multiprocessing.get_context("forkserver").set_forkserver_preload(  # as commands do, so that each process starts at once
    ["clients.app", "server.transports.processes", "unlearning.compute.processes", "unlearning.central.model"]
)
torch.set_num_threads(1)  # tiny models: threads only get in each other's way
_MEMORY = Path("/dev/shm")
if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 2**33 and not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))  # a flush to disk costs more than most tests compute
os.environ.setdefault("FEDREC_WORKERS", "0")  # tests run on every core already
os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: begun last, one of them would keep one process busy while the other has nothing."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def own_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Operators' private keys, away from the runs and from whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEDREC_KEYS", str(tmp_path_factory.mktemp("own") / "keys"))
        patch.setenv("FEDREC_PASSPHRASE", "correct horse")
        patch.delenv("FEDREC_PASSPHRASE_FILE", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def quiet() -> Iterator[None]:
    """No sign of life in this process, however busy the machine is: what is told is held against words, to the line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fedrec.console.progress.PATIENCE", 3600.0)
        yield


TITLES = [f"{word} {thing} ({year})" for word in ("red", "blue", "old", "new") for thing, year in
          (("storm", 1987), ("river", 1994), ("heart", 2001), ("city", 1979), ("mask", 2010))]  # fmt: skip


def random_base(folder: Path, layers: int) -> Path:
    """A folder with a random Llama and a tokenizer with the marks of a timeline."""
    from fedrec.models.pretraining import new_llama, train_tokenizer

    tokenizer = train_tokenizer(TITLES * 3, 360)
    new_llama(len(tokenizer), 32, layers, 512, 0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of two layers."""
    return random_base(tmp_path_factory.mktemp("base"), layers=2)


@pytest.fixture(scope="session")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of 24 people with 12 ratings each, whose likes follow one word of the title."""
    random = np.random.default_rng(1)
    lines = ["user,item,rating,timestamp,title"]
    for user in range(24):
        for when, item in enumerate(random.permutation(len(TITLES))[:12]):
            liked = ("red" in TITLES[item]) ^ (user % 2 == 0) ^ (random.random() < 0.1)
            lines.append(
                f"u{user:02d},i{item},{5 if liked else 1},{1_500_000_000 + 1000 * user + 10 * when},{TITLES[item]}"
            )
    path = tmp_path_factory.mktemp("data") / "ratings.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


Settings = Callable[..., dict[str, Any]]
Copy = Callable[[Path], "SimulatedRun"]


@pytest.fixture(scope="session")
def small(tiny_base: Path, ratings: Path) -> Settings:
    """Dotted settings of a run of seconds; keyword `a__b` overrides `a.b`."""

    def settings(**changes: Any) -> dict[str, Any]:
        plain: dict[str, Any] = {
            "base": str(tiny_base),
            "data.path": str(ratings),
            "data.like_above": 3,
            "clients.count": 3,
            "federation.rounds": 2,
            "lora.rank": 2,
            "items.rank": 0,
            "train.epochs": 2,
            "train.batch": 4,
            "train.lr": 5e-3,
            "train.threads": 1,
            "train.precision": "fp32",
            "train.device": "cpu",
            "train.stop": "never",  # so few rows teach too little for the start not to win
            "prompt.window": 128,
        }
        return plain | {key.replace("__", "."): value for key, value in changes.items()}

    return settings


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> Copy:
    """Copies of one run of two shards."""
    from tests.server.test_federated_executor import trained

    return copies(trained(tmp_path_factory.mktemp("finished") / "run", small(shards=2, train__epochs=1)).folder)


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> Copy:
    """Copies of such a run with baselines beside it."""
    import fedrec

    folder, settings = tmp_path_factory.mktemp("compared") / "run", small(shards=2, train__epochs=1)
    fedrec.simulate(strategy=["pplr", "central", "ditto", "local"], settings=settings, out=folder, workers=0)
    return copies(folder)


def copies(original: Path) -> Copy:
    from server.simulated_run import SimulatedRun

    return lambda folder: SimulatedRun(Path(shutil.copytree(original, folder)))


@pytest.fixture(scope="session")
def forgotten(finished: Copy, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What `finished` serves once u07 and u11 are forgotten."""
    from tests.server.test_federated_executor import asked, execution, of, served

    run = finished(tmp_path_factory.mktemp("forgotten") / "run")
    asked(run, *of("u07", "u11"))
    execution(run).run()
    return served(run)
