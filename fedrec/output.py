"""Machine-readable results: `--json FILE`, or `-` for standard output."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from fedrec.files import finite, write_json


def write_result(content: Any, target: str | None) -> None:
    """Write `content` as JSON (NaN as null) to a file, to standard output for `-`, or nowhere for None."""
    if target == "-":
        json.dump(finite(content), sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
    elif target is not None:
        write_json(Path(target), content)
