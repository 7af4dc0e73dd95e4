"""What a file holds: unpacked where its content says that it is packed, whatever its name, and its text in UTF-8."""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from fedrec.data.readers.sheet import listed
from fedrec.errors import DataError, UsageError
from fedrec.text import utf8

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_OTHER_PACKING = (b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c", b"Rar!")
_ADDED = re.compile(r"^__MACOSX/|(^|/)\.[^/]*$|/$")  # by systems, or a folder
_UNREADABLE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError)
_PIECE = 1 << 24


@dataclass(frozen=True)
class Content:
    """The bytes of a file, unpacked."""

    path: Path
    data: bytes

    @classmethod
    def read(cls, path: Path) -> Content:
        """The whole file; a DataError where it cannot be read, its packing is broken or it is empty."""
        try:
            with _unpacked(path) as (_, file):
                data = file.read()
        except _UNREADABLE as error:
            raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
        if not data[:4096].strip() and not data.strip():
            raise DataError(f"{path}: the file is empty")
        return cls(path, data)

    def text(self, encodings: tuple[str, ...] = ("utf-8",)) -> bytes:
        """UTF-8 of text in the first encoding that fits, without byte order mark; lines end in a newline."""
        data = _decoded(self.path, self.data, encodings)
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data.rstrip(b"\n") if data.endswith(b"\n\n") else data


def glimpse(path: Path) -> tuple[str, bytes]:
    """The name of what the file holds ("r.csv" of r.csv.gz, or in a zip) and its first bytes; none if not readable."""
    try:
        with _unpacked(path) as (name, file):
            return name, utf8(file.read(4096))
    except (*_UNREADABLE, UnicodeDecodeError, DataError):
        return path.name.removesuffix(".gz"), b""


def is_packed(path: Path) -> bool:
    """Whether the content is gzip or a zip archive."""
    with path.open("rb") as file:
        return file.read(4).startswith((_GZIP, _ZIP))


@contextmanager
def _unpacked(path: Path) -> Iterator[tuple[str, IO[bytes] | gzip.GzipFile]]:
    """The name and the content of the one file that is packed here, or of the file itself."""
    with path.open("rb") as file:
        start = file.read(6)
        file.seek(0)
        if start.startswith(_GZIP):
            with gzip.open(file) as unpacked:
                yield path.name.removesuffix(".gz"), unpacked
        elif start.startswith(_ZIP):
            with zipfile.ZipFile(file) as archive, archive.open(member := _only_member(path, archive)) as inside:
                yield PurePosixPath(member).name, inside
        elif start.startswith(_OTHER_PACKING):
            raise DataError(f"{path}: packed in a way that is not read; unpack it, or pack it with gzip")
        else:
            yield path.name.removesuffix(".gz"), file


def _only_member(path: Path, archive: zipfile.ZipFile) -> str:
    """The one file of an archive; what systems add to it does not count."""
    names = [name for name in archive.namelist() if not _ADDED.search(name)]
    if "xl/workbook.xml" in names:
        raise DataError(f"{path}: a spreadsheet cannot be read; save its sheet as CSV")
    if len(names) != 1:
        found = listed(names) or "nothing"
        raise DataError(f"{path}: it holds {found}; unpack it and give the folder, unzip {path} -d FOLDER")
    return names[0]


def _decoded(path: Path, data: bytes, encodings: tuple[str, ...]) -> bytes:
    for encoding in encodings:
        try:
            if encoding != "utf-8":
                return data.decode(encoding).removeprefix("\ufeff").encode()
            data = utf8(data)
            if b"\0" in data[:4096]:
                raise DataError(f"{path}: neither text nor Parquet; give CSV, TSV, JSON lines or Parquet")
            _validate(data)
        except UnicodeDecodeError as error:
            fault = error
        except LookupError:
            raise UsageError(
                f"data.encoding {encoding!r} is unknown: write utf-8, latin-1, cp1252 or the like"
            ) from None
        else:
            return data
    line = data.count(b"\n", 0, fault.start) + 1
    raise DataError(
        f"{path} line {line}: byte 0x{data[fault.start]:02x} at offset {fault.start} is not {fault.encoding.upper()};"
        " name the file's encoding, for example --set data.encoding=latin-1"
    )


def _validate(data: bytes) -> None:
    """UnicodeDecodeError where the bytes are not UTF-8; by pieces, as Python's text takes up to four times the room."""
    start = len(data) if data.isascii() else 0
    while start < len(data):
        stop = data.find(b"\n", start + _PIECE) + 1 or len(data)
        try:
            data[start:stop].decode()
        except UnicodeDecodeError as error:
            raise UnicodeDecodeError("utf-8", data, start + error.start, start + error.end, error.reason) from None
        start = stop
