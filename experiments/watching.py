"""Processes watched from outside: seconds, CPU seconds and peak memory, of the whole or by phase.

Memory is the proportional set size (Linux): pages that processes share count once among them.
"""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

import psutil

Figures = dict[str, float]
"""seconds, cpu_seconds and peak_mib."""

_PATIENCE = 20  # times as long as a look takes is waited until the next, so that looking costs a twentieth of a core
_SOON = 0.03  # seconds between two looks at least


def watched(*command: object, quiet: bool = False) -> Figures:
    """Of a command with its children; what it prints is shown, unless `quiet`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    (figures,) = watched_in_phases({"": None}, *command, quiet=quiet).values()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**figures, "cpu_seconds": max(cpu, figures["cpu_seconds"])}  # also what was used after the last look


def watched_in_phases(phases: Mapping[str, Path | None], *command: object, quiet: bool = False) -> dict[str, Figures]:
    """Of each phase of a command; SystemExit where it fails.

    Args:
        phases: in their order, each with the file or folder that is there when it is over; the last one lasts until
            the command ends. One that nobody saw ending is part of the next.
    """
    family = _Family(psutil.Popen([*map(str, command)], stdout=subprocess.DEVNULL if quiet else None))
    found: dict[str, Figures] = {}
    left = list(phases.items())
    began, cpu, peak = time.monotonic(), 0.0, 0.0
    while True:
        looked = time.process_time()
        ended = family.process.poll() is not None
        peak = max(peak, family.look())
        there = [i + 1 for i, (_, mark) in enumerate(left[:-1]) if mark is not None and mark.exists()]
        if over := len(left) if ended else max(there, default=0):
            now = time.monotonic()
            found[left[over - 1][0]] = {"seconds": now - began, "cpu_seconds": family.cpu - cpu, "peak_mib": peak}
            began, cpu, peak = now, family.cpu, 0.0
            del left[:over]
        if ended:
            break
        time.sleep(max(_SOON, _PATIENCE * (time.process_time() - looked)))
    if family.process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: exit code {family.process.returncode}")
    return found


def median_of(turns: Iterable[Figures]) -> Figures:
    """Figure by figure."""
    several: Sequence[Figures] = list(turns)
    return {name: median(figures[name] for figures in several) for name in several[0]}


class _Family:
    """A process and its children."""

    def __init__(self, process: psutil.Popen) -> None:
        self.process = process
        self._cpu: dict[int, float] = {}

    @property
    def cpu(self) -> float:
        """Seconds of all there were, as far as they were looked at."""
        return sum(self._cpu.values())

    def look(self) -> float:
        """MiB of all there are."""
        memory = 0
        with suppress(psutil.Error):
            for each in (self.process, *self.process.children(recursive=True)):
                with suppress(psutil.Error):
                    used = each.cpu_times()
                    self._cpu[each.pid] = used.user + used.system
                    memory += each.memory_full_info().pss
        return memory / 2**20
