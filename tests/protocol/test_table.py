"""docs/protocol.md says what the records are, and no word means one thing to clients and another to operators."""

from __future__ import annotations

from experiments.protocol_table import table
from fedrec.protocol.questions import QUESTIONS
from tests.cli import ROOT
from unlearning.commands.forget.app import _COMMANDS


def test_the_table_in_the_docs_is_that_of_the_records() -> None:
    assert (ROOT / "docs" / "protocol.md").read_text("utf-8") == table()


def test_no_question_is_called_like_a_command_of_the_operators() -> None:
    asked = {question.kind.partition(".")[2] for question in QUESTIONS}
    assert not asked & {command.__name__.rstrip("_") for command in _COMMANDS}
