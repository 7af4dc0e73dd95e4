"""How many processes compute side by side: what `--workers` says, or as many as this machine has cores for."""

from __future__ import annotations

from fedrec.config import TrainConfig
from fedrec.errors import UsageError
from fedrec.parallel.process_pool import prepare

AUTO = "auto"


def parse_workers(text: str) -> str | int:
    """What `--workers` says: "auto", or a number of processes.

    Raises:
        UsageError: neither.
    """
    if text != AUTO and not text.isdecimal():
        raise UsageError(f"--workers {text}: write a number of processes, 0 for none but this one, or {AUTO}")
    return text if text == AUTO else int(text)


def cores() -> int:
    """The cores that this process may use: those it is bound to, as far as a container's quota goes."""
    from joblib import cpu_count

    return int(cpu_count())


def get_ready(workers: str | int, *modules: str) -> None:
    """Where processes may be wanted, have what they need imported beside whatever this one does until then."""
    if cores() > 1 if workers == AUTO else workers:
        prepare(*modules)


def processes_for(workers: str | int, config: TrainConfig, pieces: int) -> int:
    """How many processes do so many pieces of work side by side; 0 where this one does them alone.

    Args:
        workers: as `parse_workers` gives it.
        config: of this machine, with its device and threads.
    """
    if workers != AUTO:
        return min(int(workers), pieces)
    if config.device != "cpu":  # they would share one device, and hold a model there each
        return 0
    count = min(pieces, cores() // max(1, config.threads))
    return count if count > 1 else 0


def crowding(processes: int, threads: int) -> str:
    """What to do where so many processes, of so many threads each, have to share cores; empty where they do not."""
    there = cores()
    if threads <= 1 or processes * threads <= there:
        return ""
    return f"hint: {processes} workers with {threads} threads each share {there} cores: --set train.threads=1 is faster"
