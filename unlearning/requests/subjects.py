"""The keys that tie a ledger to people: one a request, which opens whom it is about.

    sealed    = the text under the key and the request's id: `fedrec.sealing`
    pseudonym = HMAC-SHA256(HMAC-SHA256(key, "pseudonym"), subject)

They lie in a folder of the run's holder, never in the database. Destroying a request's key makes its sealed text and
its pseudonym noise, in every copy and backup of the database and in every certificate: no key is left by which somebody
with a list of people could find out who of them it was. Overwriting reaches the file, not what the disk or a backup
keeps of it.

That the same is asked again is found by a mark in the ledger, which is emptied when the request ends. All requests of
one day have the key for it in common, which is destroyed with the last of them.

    mark      = day:HMAC-SHA256(key of the day, what is asked)

requests/UUID.key, days/2026-01-31.key    32 random bytes, mode 0600
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from datetime import date
from pathlib import Path
from uuid import UUID

from fedrec import sealing
from fedrec.errors import FedrecError
from fedrec.files import shred
from fedrec.sealing import KEY_BYTES


class SubjectKeys:
    """The keys in a folder, which is made where it is missing."""

    def __init__(self, folder: Path) -> None:
        self._requests, self._days = folder / "requests", folder / "days"
        for private in (folder, self._requests, self._days):
            private.mkdir(parents=True, exist_ok=True)
            private.chmod(0o700)

    def seal(self, request_id: str, text: str) -> bytes:
        """The text under a new key of this request, which must have none yet."""
        key = secrets.token_bytes(KEY_BYTES)
        _write_new(self._path(request_id), key)
        return sealing.seal(key, request_id, text.encode())

    def pseudonym(self, request_id: str, subject: str) -> str:
        """What stands for the subject in this request: 64 hexadecimal digits, others in every request.

        Raises:
            FedrecError: the request has no key, or has none any more.
        """
        own = hmac.digest(self._key(request_id), b"pseudonym", hashlib.sha256)
        return hmac.digest(own, subject.encode(), hashlib.sha256).hex()

    def mark(self, day: date, asked: bytes) -> str:
        """What stands in the ledger for what is asked by a request of that day, as long as it is open.

        Raises:
            FedrecError: something that is no file stands where the day's key belongs.
        """
        if (known := self.known_mark(day, asked)) is not None:
            return known
        path = self._days / f"{day}.key"
        if path.is_dir():
            raise FedrecError(f"{path}: no key, and no key can be made there: remove it")
        shred(path)  # of another length: nobody made it here
        _write_new(path, secrets.token_bytes(KEY_BYTES))
        return self.mark(day, asked)

    def known_mark(self, day: date, asked: bytes) -> str | None:
        """The same, where that day has a key; None otherwise."""
        path = self._days / f"{day}.key"
        if not (path.is_file() and len(key := path.read_bytes()) == KEY_BYTES):
            return None
        return f"{day}:{hmac.digest(key, asked, hashlib.sha256).hex()}"

    def days(self) -> set[date]:
        """The days that have a key; whatever else somebody put there is none."""
        return {day for path in self._days.glob("*.key") if path.is_file() and (day := _day(path.stem)) is not None}

    def destroy_day(self, day: date) -> None:
        """No mark of that day can be compared any more, in no copy of the ledger."""
        shred(self._days / f"{day}.key")

    def open(self, request_id: str, sealed: bytes) -> str:
        """
        Raises:
            FedrecError: the key was destroyed or is not in this folder, or the text is not what was sealed.
        """
        key = self._key(request_id)
        try:
            return sealing.unseal(key, request_id, sealed).decode()
        except ValueError:
            raise FedrecError(
                f"request {request_id}: its sealed subject or {self._path(request_id)} was altered: restore it"
            ) from None

    def destroy(self, request_id: str) -> None:
        """Overwrite and remove the request's key; nothing where it is gone already."""
        shred(self._path(request_id))

    def held(self) -> set[str]:
        """The requests whose keys are here."""
        return {path.stem for path in self._requests.glob("*.key")}

    def _path(self, request_id: str) -> Path:
        return self._requests / f"{UUID(request_id)}.key"

    def _key(self, request_id: str) -> bytes:
        try:
            return self._path(request_id).read_bytes()
        except FileNotFoundError:
            raise FedrecError(
                f"request {request_id}: its subject's key is not in {self._requests}: destroyed, or kept elsewhere"
            ) from None


def _day(text: str) -> date | None:
    """The day that is written so; None where it is none, or spelled otherwise."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if str(day) == text else None


def _write_new(path: Path, content: bytes) -> None:
    """On the disk when it returns: what is sealed under a key must never outlive a power cut that the key did not.

    Not `files.write_bytes`: a key that is there is never replaced, and of thousands of requests each syncs once.
    Journaling file systems write a new file's name with its content, so the folder is not flushed as well.
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
