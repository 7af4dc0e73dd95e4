"""The examples in CONTRIBUTING.md are the toys that the tests run."""

from __future__ import annotations

import re

from tests.cli import ROOT


def test_every_toy_is_shown_as_it_is() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    shown = dict(re.findall(r"<!-- (tests/seams/\S+) -->\n```python\n(.*?)```\n", text, re.DOTALL))
    toys = {f"tests/seams/{path.name}": path.read_text("utf-8") for path in (ROOT / "tests/seams").glob("toy_*.py")}
    assert shown == toys
