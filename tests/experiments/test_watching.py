"""What is measured of a command by phase is told from what it leaves behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from experiments.watching import median_of, watched, watched_in_phases

WORK = """
import sys, time
from pathlib import Path
folder = Path(sys.argv[1])
time.sleep(0.6)
(folder / "first").touch()
filled = bytearray(b"x" * (200 << 20))
end = time.process_time() + 0.5
while time.process_time() < end:
    pass
time.sleep(0.6)
(folder / "third").touch()
del filled
time.sleep(0.6)
"""


def test_each_phase_has_its_own_time_and_memory(tmp_path: Path) -> None:
    phases = {name: tmp_path / name for name in ("first", "second", "third", "last")}
    found = watched_in_phases(phases, sys.executable, "-c", WORK, tmp_path)
    assert list(found) == ["first", "third", "last"]  # nobody saw the second one end
    assert found["third"]["peak_mib"] > found["first"]["peak_mib"] + 150
    assert 0.3 < found["third"]["cpu_seconds"] < 1.5 and found["last"]["cpu_seconds"] < 0.3


def test_a_command_that_fails_is_no_measurement() -> None:
    with pytest.raises(SystemExit, match="exit code 3"):
        watched(sys.executable, "-c", "raise SystemExit(3)")


def test_the_median_is_taken_figure_by_figure() -> None:
    assert median_of([{"a": 1.0, "b": 9.0}, {"a": 2.0, "b": 7.0}, {"a": 3.0, "b": 8.0}]) == {"a": 2.0, "b": 8.0}
