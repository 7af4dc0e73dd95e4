"""What a file holds: unpacked where its content says that it is packed, whatever its name, and its text in UTF-8."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fedrec.data.readers.sheet import listed
from fedrec.errors import DataError, UsageError
from fedrec.text import utf8

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_OTHER_PACKING = (b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c", b"Rar!")
_PIECE = 1 << 24


@dataclass(frozen=True)
class Content:
    """The bytes of a file, unpacked; `name` is that of the file inside ("r.csv" of r.csv.gz, or in a zip)."""

    path: Path
    name: str
    data: bytes

    @classmethod
    def read(cls, path: Path) -> Content:
        """The whole file.

        Raises:
            DataError: no such file, not readable, broken or locked packing, a zip of several files, or empty.
        """
        try:
            name, data = _unpacked(path, path.read_bytes())
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
        if not data[:4096].strip() and not data.strip():
            raise DataError(f"{path}: the file is empty")
        return cls(path, name, data)

    def text(self, encodings: tuple[str, ...] = ("utf-8",)) -> bytes:
        """UTF-8 without byte order mark; every line ends in a newline, as editors count lines, the last one or not.

        Raises:
            DataError: in none of the encodings, which are tried in this order.
            UsageError: an encoding that Python does not know.
        """
        data = _decoded(self.path, self.data, encodings)
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data.rstrip(b"\n") if data.endswith(b"\n\n") else data


def inner_name(path: Path) -> str:
    """The name of what the file holds: without .gz, and of the one file in a zip."""
    if path.suffix == ".zip":
        try:
            with zipfile.ZipFile(path) as archive:
                return PurePosixPath(_only_member(path, archive)).name
        except (OSError, zipfile.BadZipFile, DataError):
            return path.name
    return path.name.removesuffix(".gz")


def is_packed(path: Path) -> bool:
    """Whether the content is gzip or a zip archive; not where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(4).startswith((_GZIP, _ZIP))
    except OSError:
        return False


def starts_as(path: Path) -> bytes:
    """The first bytes of what the file holds, for recognising it; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start.startswith(_GZIP):
            with gzip.open(path) as unpacked:
                return utf8(unpacked.read(4096) + b"\n")
        if start == _ZIP:
            with zipfile.ZipFile(path) as archive, archive.open(_only_member(path, archive)) as member:
                return utf8(member.read(4096) + b"\n")
        with path.open("rb") as file:
            return utf8(file.read(4096))
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, UnicodeDecodeError, DataError):
        return b""


def _unpacked(path: Path, data: bytes) -> tuple[str, bytes]:
    if data.startswith(_GZIP):
        return path.name.removesuffix(".gz"), gzip.decompress(data)
    if data.startswith(_ZIP):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            member = _only_member(path, archive)
            return PurePosixPath(member).name, archive.read(member)
    if data.startswith(_OTHER_PACKING):
        raise DataError(f"{path}: packed in a way that is not read; unpack it, or pack it with gzip")
    return path.name.removesuffix(".gz"), data


def _only_member(path: Path, archive: zipfile.ZipFile) -> str:
    """The one file of an archive; what systems add to it does not count."""
    names = [name for name in archive.namelist() if not name.endswith("/") and not _added(name)]
    if "xl/workbook.xml" in names:
        raise DataError(f"{path}: a spreadsheet cannot be read; save its sheet as CSV")
    if len(names) != 1:
        found = listed(names) or "nothing"
        raise DataError(f"{path}: it holds {found}; unpack it and give the folder, unzip {path} -d FOLDER")
    return names[0]


def _added(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return parts[0] == "__MACOSX" or parts[-1].startswith(".")


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
