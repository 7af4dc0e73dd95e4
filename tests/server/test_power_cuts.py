"""Power cuts: whenever the ledger is told something, all that it rests on is on the disk, content and names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from fedrec.files import replacing, replacing_folder, shred, write_bytes, write_json
from tests.server.test_federated_executor import Copy, asked, execution, of
from unlearning.requests.states import State

OTHERS = (".db", "-wal", "-shm", ".lock", ".key")  # SQLite flushes its own files; locks and keys are made once


class Disk:
    """What of a folder a power cut would leave: what was flushed since it changed last."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.flush = folder, os.fsync
        self.files: dict[int, tuple[int, int]] = {}
        self.names: dict[int, set[tuple[str, int]]] = {}
        monkeypatch.setattr(os, "fsync", self.fsync)
        for path in (folder, *folder.rglob("*")):
            self.note(path)

    def fsync(self, descriptor: int) -> None:
        self.flush(descriptor)
        self.note(Path(f"/proc/self/fd/{descriptor}").readlink())

    def note(self, path: Path) -> None:
        inode = path.stat().st_ino
        if path.is_dir():
            self.names[inode] = names(path)
        else:
            self.files[inode] = changed(path)

    def lost(self) -> list[str]:
        """The names of files whose content or place a power cut would change."""
        found = []
        for path in (self.folder, *self.folder.rglob("*")):
            inode = path.stat().st_ino
            if path.is_dir():
                found += [str(path / name) for name, _ in self.names.get(inode, set()) ^ names(path)]
            elif not path.name.endswith(OTHERS) and self.files.get(inode) != changed(path):
                found.append(str(path))
        return sorted({Path(path).name for path in found})


def names(folder: Path) -> set[tuple[str, int]]:
    found = {(entry.name, entry.inode()) for entry in os.scandir(folder)}
    return {(name, inode) for name, inode in found if not name.endswith(OTHERS)}


def changed(path: Path) -> tuple[int, int]:
    return path.stat().st_size, path.stat().st_mtime_ns


def test_what_the_ledger_says_is_on_the_disk(tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    run = finished(tmp_path / "run")
    asked(run, *of("u07"))
    work = execution(run)
    disk, ledger = Disk(run.folder / "clients", monkeypatch), work.workflow.ledger
    advance, plan, told = ledger.advance, ledger.plan, dict[str, list[str]]()

    def watched(id_: str, to: State, **facts: Any) -> Any:
        told[to.value] = disk.lost()
        return advance(id_, to, **facts)

    def planned(*given: Any, **more: Any) -> Any:
        told["planned"] = disk.lost()
        return plan(*given, **more)

    monkeypatch.setattr(ledger, "advance", watched)
    monkeypatch.setattr(ledger, "plan", planned)
    (outcome,) = work.run()
    assert outcome["state"] == "closed"
    assert told == {
        "planned": [], "quarantined": [],
        "erasing": ["judged.safetensors"],  # until the rows are erased: what is served is withdrawn already
        "verifying": [], "published": [],
        "closed": ["scores.npz"],  # measured again where they are lost
    }  # fmt: skip


def test_proof_is_on_the_disk_before_a_request_is_closed(
    tmp_path: Path, finished: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path / "run")
    (id_,) = asked(run, *of("u07"))
    work = execution(run)
    disk, ledger = Disk(run.folder / "erasure", monkeypatch), work.workflow.ledger
    advance, lost = ledger.advance, list[str]()

    def watched(id_: str, to: State, **facts: Any) -> Any:
        lost.extend(disk.lost() if to == State.CLOSED else [])
        return advance(id_, to, **facts)

    monkeypatch.setattr(ledger, "advance", watched)
    work.run()
    assert lost == []
    assert (run.folder / "erasure" / "certificates" / f"{id_}.json").exists()


def test_files_and_folders_that_others_rely_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(tmp_path, monkeypatch)
    write_json(tmp_path / "a" / "b" / "c.json", {"x": 1})
    write_bytes(tmp_path / "a" / "secret", b"x")
    with replacing_folder(tmp_path / "a" / "d") as fresh:
        (fresh / "e").mkdir()
        (fresh / "e" / "f").write_text("x")
    with replacing_folder(tmp_path / "a" / "d") as fresh:  # again, over the one that is there
        (fresh / "g").write_text("x")
    assert disk.lost() == [] and [path.name for path in (tmp_path / "a" / "d").iterdir()] == ["g"]
    assert (tmp_path / "a" / "secret").stat().st_mode & 0o777 == 0o600
    shred(tmp_path / "a" / "secret")
    assert disk.lost() == []
    with replacing(tmp_path / "loose") as partial:
        partial.write_text("x")
    assert disk.lost() == ["loose"]


def test_a_folder_that_was_not_finished_replaces_nothing(tmp_path: Path) -> None:
    with replacing_folder(tmp_path / "a") as fresh:
        (fresh / "x").write_text("1")
    with pytest.raises(KeyboardInterrupt), replacing_folder(tmp_path / "a") as fresh:
        (fresh / "x").write_text("2")
        raise KeyboardInterrupt
    assert (tmp_path / "a" / "x").read_text() == "1"
