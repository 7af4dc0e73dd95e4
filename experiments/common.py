"""What the benchmarks share: where a result goes and what it says of the machine, and a tiny base model.

Run them from the project's root, for example `python -m experiments.kill_and_resume`.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import torch

from fedrec.config import RunConfig, WorldConfig
from fedrec.data.generated import make_world
from fedrec.files import read_json, write_json
from fedrec.models.pretraining import new_llama, train_tokenizer

RESULTS = Path(__file__).parent / "results"


def write_result(name: str, result: dict[str, Any]) -> None:
    """results/NAME.json: the result, after when, where and how it was made."""
    command = " ".join(["python -m", f"experiments.{Path(sys.argv[0]).stem}", *sys.argv[1:]])
    write_json(RESULTS / f"{name}.json", {"command": command, "machine": machine(), **result})


def last_result(name: str) -> dict[str, Any]:
    """What `write_result` wrote last under that name; empty where there is nothing."""
    path = RESULTS / f"{name}.json"
    found: dict[str, Any] = read_json(path) if path.exists() else {}
    return found


def portable(config: RunConfig) -> dict[str, Any]:
    """A configuration as a result states it: base and data by name, not by where they lie on this machine."""
    plain = config.model_dump(mode="json")
    for section, key in ((plain, "base"), (plain["data"], "path")):
        section[key] = section[key] and Path(section[key]).name
    return plain


def machine() -> dict[str, Any]:
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpus": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def tiny_base(folder: Path, world: WorldConfig) -> Path:
    """A random Llama of two layers that spells the world's titles, in `folder`."""
    tokenizer = train_tokenizer(make_world(world).private.catalogue.titles, 400)
    new_llama(len(tokenizer), width=32, layers=2, context=512, seed=0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
