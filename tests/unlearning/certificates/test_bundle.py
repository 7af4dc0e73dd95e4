"""The evidence: plain files, all of them, and no person in any."""

import pytest

from tests.unlearning.certificates.made import PERSON, REQUEST, made
from unlearning.certificates.bundle import MANIFEST, write_bundle


@pytest.mark.parametrize("name", ["../x.json", "/x.json", "a/b.json", ".json", "x.txt", "X.json", MANIFEST, "x.json\n"])
def test_a_bundle_holds_plain_files_only(tmp_path, name):
    with pytest.raises(ValueError, match="plain name"):
        write_bundle(tmp_path / "evidence", {name: {}})
    assert not (tmp_path / "evidence").exists()


def test_a_bundle_is_complete(tmp_path):
    with pytest.raises(ValueError, match=r"adapters\.json"):
        write_bundle(tmp_path / "evidence", {"plan.json": {}})


def test_no_file_names_the_person(tmp_path):
    made(tmp_path)
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not any(PERSON.encode() in raw or b"reader" in raw for raw in files)
    assert any(REQUEST.encode() in raw for raw in files)
