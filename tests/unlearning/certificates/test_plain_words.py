"""What a person is sent has no word in it that only who runs the model knows."""

from __future__ import annotations

import re
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest

from fedrec.config import load
from tests.unlearning.certificates.made import HEAD, approximate, made
from tests.unlearning.certificates.test_letters import LETTERS
from unlearning.certificates.claims import NEVER_LEARNED, NOTHING_FOUND, RETRAINED, approximately
from unlearning.certificates.documents import reply
from unlearning.executor import Located
from unlearning.workflow.planning import BACKUPS, kept_titles, out_of_reach

OURS = re.compile(
    r"\b(shards?|adapters?|retrain\w*|clients?|federat\w*|rounds?|vaults?|tombstones?|ledgers?|execut\w*|lora|runs?|"
    r"baselines?|checkpoints?|manifests?|pseudonym\w*|parameters?|epochs?|hash\w*|digests?|scope|claims?|rows?|"
    r"data ?sets?|quarantin\w*|withdraw\w*|identifiers?|traces?|utility|membership)\b",
    re.IGNORECASE,
)
PARTS = ("person", "items", "dates", "client")
SCOPES = list(chain.from_iterable(combinations(PARTS, n) for n in range(1, len(PARTS) + 1)))
UNTOUCHED: dict[str, Any] = {"shards": [], "rounds": 0, "adapters": [], "clients": []}
CLAIMS: dict[str, dict[str, Any]] = {
    RETRAINED: {}, "not back yet": {"restored_seconds": None}, approximately(0.15): approximate(),
    NEVER_LEARNED: {"claim": NEVER_LEARNED, **UNTOUCHED}, NOTHING_FOUND: {"claim": NOTHING_FOUND, **UNTOUCHED},
}  # fmt: skip


def sent(folder: Path, scope: tuple[str, ...], facts: dict[str, Any]) -> str:
    """The letter of an erasure, with all that may remain somewhere."""
    config = load(overrides={"data.path": "films/ratings.csv", "base": "some/model"})
    kept = [Located({"client-1": 3}, (0,), {}, {}, {}, titles=titles) for titles in (0, 1, 1234)]
    known = [*out_of_reach(config), *(what for each in kept for what in kept_titles(each))]
    assert max(map(len, known)) <= 200  # more is not shown
    remain = {"exceptions": [{"what": BACKUPS}], "elsewhere": [{"what": what} for what in known]}
    where = {"client": "client-1"} if "client" in scope else {}
    return reply(made(folder, scope=list(scope), **where, **remain, **facts)[2], HEAD)


@pytest.mark.parametrize("facts", CLAIMS.values(), ids=CLAIMS)
def test_the_reply_is_in_plain_words_whatever_was_asked_and_done(tmp_path: Path, facts: dict[str, Any]) -> None:
    for number, scope in enumerate(SCOPES):
        text = sent(tmp_path / str(number), scope, facts)
        assert OURS.findall(text) == [], text
        without = "without you." if scope == ("person",) else "without them."
        if "claim" not in facts:
            assert f"trained again, from its start, {without}" in text


@pytest.mark.parametrize("write", [write for write, _ in LETTERS.values()], ids=LETTERS)
def test_so_are_the_letters_after_a_decision(write: Any) -> None:
    assert OURS.findall(write(HEAD, "the accounts are still being settled")) == []


def test_several_parts_are_told_as_several(tmp_path: Path) -> None:
    more = [{"client": "client-0", "shard": shard, "before": "0" * 64, "after": "1" * 64} for shard in (1, 3)]
    text = sent(tmp_path, ("person",), {"shards": [1, 3], "adapters": more})
    assert "The parts of the model that had learned from you were trained again, from their start, without you." in text
