"""A comparison of methods from its plan to its page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fedrec.errors import Interrupted
from fedrec.lock import only_writer
from fedrec.options import new_folder
from unlearning.comparison.compare import Telling, compare
from unlearning.comparison.plan import Plan, claim, write_page
from unlearning.compute.crew import Workers

METHODS = ("sisa", "grapheraser", "receraser", "apa-d", "apa-nd", "strict", "strict-hash")
SILENT = Telling(lambda warnings: None, lambda name, seed: lambda shard, step, steps: None, lambda row: None)


def carry_out(
    plan: Plan, folder: Path | None, pool: Workers, telling: Telling, *, latency: bool = False, replace: bool = False
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
            result = compare(folder, plan, pool, telling, latency)
        except KeyboardInterrupt:
            raise Interrupted(f"stopped; the same command with --out {folder} continues it") from None
        write_page(result, folder)
    return folder, result
