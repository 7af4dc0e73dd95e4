"""One spelling of each id; spellings that nobody can tell apart are refused with a line, and with a mend that works."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.data.ids import appearance, is_clean, look_alikes, named, normal
from fedrec.errors import DataError, UsageError
from tests.data.files import load, text

WORD = st.text(min_size=1, max_size=8)
TWINS = {
    "case": ("Bob", "bOB"),
    "width": ("bob1", "ｂｏｂ１"),
    "zero-width": ("bob", "b\u200bob"),
    "joiner": ("bob", "bo\u2060b"),
    "soft hyphen": ("bob", "bo\xadb"),
    "variation": ("bob", "bo\ufe0fb"),
    "sharp s": ("strasse", "straße"),
    "ligature": ("fish", "ﬁsh"),
    "inner spaces": ("bob b", "bob\u00a0 b"),
}


@given(WORD)
def test_a_normal_spelling_is_one_and_stays(word: str) -> None:
    assert normal(normal(word)) == normal(word)
    for form in ("NFC", "NFD"):
        assert normal(f"\ufeff {unicodedata.normalize(form, word)}\u200b\n") == normal(word)


@given(WORD)
def test_an_appearance_outlives_case_width_and_composition(word: str) -> None:
    seen = appearance(word)
    assert appearance(seen) == seen == appearance(normal(word)) == appearance(unicodedata.normalize("NFD", word))
    assert appearance("\u200b".join(word)) == seen


@pytest.mark.parametrize(("one", "other"), TWINS.values(), ids=TWINS)
def test_twins_are_found_and_named(one: str, other: str, tmp_path: Path) -> None:
    assert look_alikes([one, "ann", other]) == {other: one}
    rows = f"user,item,rating,title\n{one},1,5,T\nann,2,1,S\n{other},1,1,T\n"
    path = text(tmp_path / "a.csv", rows)
    with pytest.raises(DataError) as raised:
        load(path)
    told = str(raised.value)
    assert f"a.csv line 4: user {other!a} looks like user {one!a}: " in told and "data.ids=exact" in told
    assert load(path, ids="exact").interactions.user_ids == tuple(sorted((one, "ann", other)))
    assert load(path, skip_bad_rows=True).interactions.user_ids == tuple(sorted((one, "ann")))


def test_spellings_of_one_id_are_one_person_and_one_item(tmp_path: Path) -> None:
    composed, apart = "Zo\u00eb", "Zoe\u0308"
    rows = f"user,item,rating,title\n{composed},é,5,T\n{apart}\u200b,e\u0301,1,T\n ann,2,1,S\n"
    data = load(text(tmp_path / "a.csv", rows))
    assert data.interactions.user_ids == (composed, "ann")
    assert data.catalogue.ids == ("2", "é")


def test_an_id_with_an_escape_sequence_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 3: user 'b\\x1b\[2Jb' holds control characters") as raised:
        load(text(tmp_path / "a.csv", "user,item,rating,title\nann,1,5,T\nb\x1b[2Jb,1,1,T\n"))
    assert is_clean(str(raised.value))


def test_what_somebody_types_is_the_normal_spelling_or_gets_a_line() -> None:
    known = ("Zo\u00eb", "ann")
    assert named("--user", " Zoe\u0308 ", known) == "Zo\u00eb"
    assert named("--user", "new", known) == "new"
    with pytest.raises(UsageError, match="--user: id 'ANN' looks like id 'ann'"):
        named("--user", "ANN", known)
    for empty in ("", " \u200b", "a\x1b[0m"):
        with pytest.raises(UsageError, match="no id"):
            named("--user", empty, known)
