"""Machine-readable results: `--json FILE`, or `-` for standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from fedrec.errors import UsageError
from fedrec.files import finite, write_json


def check_target(target: str | None) -> None:
    """Before long work: UsageError where its result could not be written."""
    if target is None or target == "-":
        return
    path = Path(target)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=path.parent).close()
        if path.exists():
            path.open("ab").close()
    except OSError as error:
        raise UsageError(f"--json {target}: cannot be written ({error.strerror}); choose another file") from None


def write_result(content: Any, target: str | None) -> None:
    """Write `content` as JSON (NaN as null) to a file, to standard output for `-`, or nowhere for None."""
    if target == "-":
        json.dump(finite(content), sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
    elif target is not None:
        write_json(Path(target), content)


def warn(warnings: Iterable[str]) -> None:
    """A line for each on standard error."""
    for warning in warnings:
        print(f"fedrec: warning: {warning}", file=sys.stderr)
