"""Files for the owner only."""

from __future__ import annotations

import stat
from pathlib import Path

from fedrec.files import write_bytes


def test_a_private_file_is_its_owners_alone_whatever_a_crash_left(tmp_path: Path) -> None:
    path, left = tmp_path / "deep" / "a.key", tmp_path / "deep" / "a.key.partial"
    left.parent.mkdir()
    left.write_bytes(b"half")
    left.chmod(0o666)
    for content in (b"first", b"second"):
        write_bytes(path, content)
        assert path.read_bytes() == content and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["a.key"]
