"""Machine-readable results: `--json FILE`, or `-` for standard output."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from fedrec.console.visible import visible
from fedrec.errors import UsageError
from fedrec.files import finite, write_json

# What could steer a terminal and JSON may hold as it is; what is below a space it escapes itself.
_STEERS = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def checked_target(target: str | None) -> str | None:
    """The target, before any work. Nothing is made of what is missing.

    Raises:
        UsageError: the result could not be written there.
    """
    if target is None or target == "-":
        return target
    path = Path(target)
    try:
        if not path.parent.exists():
            raise UsageError(
                f"--json {target}: cannot be written: there is no folder {path.parent}; make it, or choose another file"
            )
        TemporaryFile(dir=path.parent).close()
        if path.exists():
            path.open("ab").close()
    except OSError as error:
        raise UsageError(f"--json {target}: cannot be written ({error.strerror}); choose another file") from None
    return target


def write_result(content: Any, target: str | None) -> None:
    """Write `content` as JSON (NaN as null) to a file, to standard output for `-`, or nowhere for None."""
    if target == "-":
        text = json.dumps(finite(content), indent=1, ensure_ascii=not _in_unicode())
        print(_STEERS.sub(lambda found: f"\\u{ord(found[0]):04x}", text))
    elif target is not None and Path(target).exists() and not Path(target).is_file():
        Path(target).write_text(json.dumps(finite(content)) + "\n", "utf-8")  # a device or a pipe is not replaced
    elif target is not None:
        write_json(Path(target), content)


def warn(warnings: Iterable[str]) -> None:
    """A line for each on standard error."""
    for warning in warnings:
        print(f"fedrec: warning: {visible(warning)}", file=sys.stderr)


def _in_unicode() -> bool:
    """Whether standard output takes every character; where it does not, JSON spells them out and loses nothing."""
    return "utf" in (sys.stdout.encoding or "").casefold()
