"""The keys: who may open a subject, and that nobody can once its key is destroyed."""

from __future__ import annotations

import stat
from datetime import date
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedrec.data.selection import Selection
from fedrec.errors import FedrecError
from unlearning.requests.subjects import SubjectKeys


@given(st.text(st.characters(codec="utf-8")))
def test_what_is_sealed_opens_and_no_two_seals_are_alike(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    keys = SubjectKeys(tmp_path_factory.getbasetemp() / "keys")
    one, other = str(uuid4()), str(uuid4())
    sealed = {id: keys.seal(id, text) for id in (one, other)}
    assert keys.open(one, sealed[one]) == keys.open(other, sealed[other]) == text
    assert sealed[one] != sealed[other]
    with pytest.raises(FedrecError, match="altered"):
        keys.open(one, sealed[other])


def test_the_length_of_what_is_sealed_does_not_tell_whom_it_is_about(tmp_path: Path) -> None:
    keys = SubjectKeys(tmp_path)
    people = ["1", "42", "bo@b.io", "christopher.longfellow@hospital.example", "é" * 20]
    lengths = {len(keys.seal(str(uuid4()), Selection(users=(person,)).model_dump_json())) for person in people}
    assert len(lengths) == 1
    many = Selection(users=("1",), items=tuple(map(str, range(99)))).model_dump_json()
    assert (len(keys.seal(str(uuid4()), many)) - lengths.pop()) % 255 == 0


def test_what_is_no_key_of_a_day_is_left_out(tmp_path: Path) -> None:
    keys, day = SubjectKeys(tmp_path), date(2026, 1, 31)
    for name in ("notes", "20260131", "2026-02-30"):
        (tmp_path / "days" / f"{name}.key").write_bytes(bytes(32))
    (tmp_path / "days" / "2026-02-01.key").mkdir()
    assert keys.days() == set()
    path = tmp_path / "days" / f"{day}.key"
    path.write_bytes(b"")  # under an empty key everybody could be tried
    assert keys.known_mark(day, b"x") is None
    mark = keys.mark(day, b"x")
    assert len(path.read_bytes()) == 32 and keys.known_mark(day, b"x") == mark and keys.days() == {day}
    with pytest.raises(FedrecError, match="remove it"):
        keys.mark(date(2026, 2, 1), b"x")


def test_any_altered_byte_is_noticed(tmp_path: Path) -> None:
    keys, id = SubjectKeys(tmp_path), str(uuid4())
    sealed = keys.seal(id, "user 42")
    for place in range(len(sealed)):
        with pytest.raises(FedrecError, match=f"request {id}.*altered"):
            keys.open(id, sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :])
    for short in (b"", sealed[:5], sealed[:-1]):
        with pytest.raises(FedrecError, match="altered"):
            keys.open(id, short)


def test_a_destroyed_key_is_gone_and_the_others_are_not(tmp_path: Path) -> None:
    keys = SubjectKeys(tmp_path)
    gone, kept = str(uuid4()), str(uuid4())
    sealed = {id: keys.seal(id, id) for id in (gone, kept)}
    file = tmp_path / "requests" / f"{gone}.key"
    key = file.read_bytes()
    same_bytes_on_disk = tmp_path / "link"
    same_bytes_on_disk.hardlink_to(file)
    keys.destroy(gone)
    keys.destroy(gone)
    assert not file.exists()
    assert len(same_bytes_on_disk.read_bytes()) == len(key) and same_bytes_on_disk.read_bytes() != key
    with pytest.raises(FedrecError, match="destroyed"):
        keys.open(gone, sealed[gone])
    assert SubjectKeys(tmp_path).open(kept, sealed[kept]) == kept


def test_keys_are_their_holders_alone(tmp_path: Path) -> None:
    keys = SubjectKeys(tmp_path / "keys")
    keys.seal(str(uuid4()), "x")
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").rglob("*")}
    assert modes == {True: 0o700, False: 0o600}
    with pytest.raises(ValueError, match="UUID"):
        keys.seal("../../elsewhere", "x")


def test_a_pseudonym_is_of_one_request_and_its_subject_as_long_as_the_key_is_there(tmp_path: Path) -> None:
    keys, one, other = SubjectKeys(tmp_path), str(uuid4()), str(uuid4())
    for id in (one, other):
        keys.seal(id, "anything")
    found = {keys.pseudonym(id, subject) for id in (one, other) for subject in ("user:42", "user:43")}
    assert len(found) == 4 and all(len(bytes.fromhex(pseudonym)) == 32 for pseudonym in found)
    assert SubjectKeys(tmp_path).pseudonym(one, "user:42") == keys.pseudonym(one, "user:42")
    keys.destroy(one)
    assert keys.held() == {other}
    with pytest.raises(FedrecError, match="destroyed"):
        keys.pseudonym(one, "user:42")
