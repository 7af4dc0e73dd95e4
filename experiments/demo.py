"""What `make demo` reaches, and how long it takes with nothing built before.

    python -m experiments.demo

Runs the demo's command with an empty cache, as in a new user's first run, and keeps its figures and a picture.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from experiments.common import result_file, run_command, workplace, write_result, writing

COMMAND = ("simulate", "--strategy", "pplr,local", "--rounds", "3", "--out", "runs/demo", "--replace")
PICTURE = Path("docs/report.png")
CACHE = Path("runs/cache-of-the-demo")
KEPT = (
    "strategy", "overall", "trivial", "trivial_uauc_at_split", "best_possible_auc", "best_possible_uauc",
    "bytes_up", "bytes_down", "seconds", "adapter_hash",
)  # fmt: skip


def main() -> None:
    """Run the demo; its result, and a picture of its page, which is docs/report.png."""
    fedrec = Path(sys.executable).with_name("fedrec")
    with workplace(CACHE, anew=True):  # emptied before, kept after: the run reads its base model from there
        began = time.monotonic()
        done = subprocess.run([fedrec, *COMMAND], env={**os.environ, "FEDREC_CACHE": str(CACHE.resolve())})
        seconds = time.monotonic() - began
    if done.returncode:
        raise SystemExit(done.returncode)
    result = json.loads(Path("runs/demo/result.json").read_text())
    best = result["best_possible_auc"]
    rows = [{key: one[key] for key in KEPT} for one in (result, *result["baselines"])]
    way = (result["overall"]["auc"] - 0.5) / (best - 0.5)
    before = result["history"][0]["overall"]["auc"]
    facts = {"seconds": seconds, "share_of_the_way": way, "auc_before": before, "rounds": result["rounds"]}
    write_result("demo", {**facts, "runs": rows})
    picture(Path("runs/demo/report.html"), PICTURE if writing() else result_file("report.png"))


def picture(page: Path, target: Path) -> None:
    """The top of the page as a headless browser shows it."""
    browser = shutil.which("chromium")
    if browser is None:
        raise SystemExit("no chromium: install it to renew docs/report.png")
    with tempfile.TemporaryDirectory() as profile:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-background-networking"]
        size = ["--window-size=1040,1500", f"--user-data-dir={profile}", f"--screenshot={target.resolve()}"]
        subprocess.run([browser, *flags, *size, page.resolve().as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    run_command(main)
