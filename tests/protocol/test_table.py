"""docs/protocol.md says what the records are."""

from __future__ import annotations

from experiments.protocol_table import table
from tests.cli import ROOT


def test_the_table_in_the_docs_is_that_of_the_records() -> None:
    assert (ROOT / "docs" / "protocol.md").read_text("utf-8") == table()
