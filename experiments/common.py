"""What the benchmarks share: where each works, where a result goes and what it says of the machine, a tiny base.

Run them from the project's root, for example `python -m experiments.kill_and_resume`. A result goes under
runs/experiments; with `--write` it replaces the one in experiments/results that README and docs show.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import torch
import typer

from fedrec.config import RunConfig
from fedrec.data.generated import make_world
from fedrec.data_settings import WorldConfig
from fedrec.errors import FedrecError
from fedrec.files import read_json, write_json
from fedrec.lock import empty, only_writer
from fedrec.models.pretraining import new_llama, train_tokenizer

COMMITTED, OWN = Path(__file__).parent / "results", Path("runs/experiments")

_folder = OWN


def run_command(main: Callable[..., None]) -> None:
    """A benchmark as a command: its arguments are its options, `--write` beside them. A FedrecError is one line."""
    app = typer.Typer(add_completion=False)
    app.command()(main)
    command = typer.main.get_command(app)
    help_ = "Replace the committed result in experiments/results; without it the result goes under runs/experiments."
    command.params.append(click.Option(["--write"], is_flag=True, expose_value=False, callback=_choose, help=help_))
    try:
        command()
    except FedrecError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


@contextmanager
def workplace(folder: Path | None, *, anew: bool = False) -> Iterator[Path]:
    """The folder of a run, or of several, which no other process changes meanwhile; None = a temporary one.

    Args:
        anew: what is there is thrown away.

    Raises:
        FedrecError: another process has it.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)
    else:
        with only_writer(folder):
            if anew:
                empty(folder)
            yield folder


def writing() -> bool:
    """Whether what is committed is to be replaced."""
    return _folder == COMMITTED


def result_file(name: str) -> Path:
    """Where a file of the result goes."""
    _folder.mkdir(parents=True, exist_ok=True)
    return _folder / name


def write_result(name: str, result: dict[str, Any]) -> None:
    """NAME.json: the result, after when, where and how it was made."""
    command = " ".join(["python -m", f"experiments.{Path(sys.argv[0]).stem}", *sys.argv[1:]])
    path = result_file(f"{name}.json")
    write_json(path, {"command": command, "machine": machine(), **result})
    print(f"written: {path}", flush=True)


def last_result(name: str) -> dict[str, Any]:
    """What `write_result` wrote last under that name; empty where there is nothing."""
    path = _folder / f"{name}.json"
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


def _choose(context: click.Context, option: click.Parameter, write: bool) -> None:
    global _folder
    _folder = COMMITTED if write else OWN
    if not context.resilient_parsing:
        print(f"{context.command.help}\nThe result goes to {_folder}.", flush=True)


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
