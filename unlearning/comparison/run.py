"""A comparison of methods from its plan to its page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fedrec.errors import FedrecError, command, stopped
from fedrec.files import read_json
from fedrec.lock import only_writer
from fedrec.options import new_folder
from fedrec.reporting import comparison_page
from unlearning.comparison.compare import ComparisonListener, compare
from unlearning.comparison.plan import PAGE, RESULT, Plan, claim
from unlearning.compute.workers import Workers

METHODS = ("sisa", "grapheraser", "receraser", "apa-d", "apa-nd", "strict", "strict-hash")


def carry_out(
    plan: Plan, folder: Path | None, workers: Workers, listener: ComparisonListener, *, latency: bool, replace: bool
) -> tuple[Path, dict[str, Any]]:
    """The folder, and the result in it. What is finished there already is not done again.

    Args:
        folder: None = a new one under runs/.
        latency: as `compare` takes it.
        replace: throw away the comparison that is there.

    Raises:
        UsageError: the folder holds something else, or there is not so much to forget.
        Interrupted: stopped; the same again goes on.
    """
    folder = new_folder(folder, "unlearn")
    with only_writer(folder):
        claim(folder, plan, replace)
        try:
            result = compare(folder, plan, workers, listener, latency)
        except KeyboardInterrupt as stop:
            raise stopped(f"the same command with --out {folder} continues it", stop) from None
        comparison_page.write_page(result, folder / PAGE)
    return folder, result


def show_again(folder: Path) -> Path:
    """Write the page of a finished comparison again; where it is.

    Raises:
        FedrecError: it is not finished, or the page cannot be written.
    """
    if not (folder / RESULT).exists():
        again = command("unlearn compare --out", folder)
        raise FedrecError(f"{folder}: this comparison is not finished; {again} goes on")
    comparison_page.write_page(read_json(folder / RESULT), folder / PAGE)
    return folder / PAGE
