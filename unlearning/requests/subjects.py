"""The keys that tie a ledger to people: one for pseudonyms, and one a request, which opens whom it is about.

    pseudonym = HMAC-SHA256(key, subject)
    sealed    = nonce ‖ AES-256-GCM(key of the request, nonce, text, request id)

They lie in a folder of the run's holder, never in the database. Destroying a request's key makes its sealed text noise,
in every copy and backup of the database. Overwriting reaches the file, not a copy the disk or a backup keeps of it.

pseudonym.key, requests/UUID.key    32 random bytes each, mode 0600
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fedrec.errors import FedrecError
from fedrec.files import shred, sync_folder

KEY_BYTES = 32
NONCE_BYTES = 12


class SubjectKeys:
    """The keys in a folder, which is made where it is missing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._requests = folder / "requests"
        self._requests.mkdir(parents=True, exist_ok=True)
        for private in (folder, self._requests):
            private.chmod(0o700)

    def pseudonym(self, subject: str) -> str:
        """64 hexadecimal digits; always the same for a subject under the folder's key."""
        return hmac.digest(self._pseudonym_key(), subject.encode(), hashlib.sha256).hex()

    def seal(self, request_id: str, text: str) -> bytes:
        """The text under a new key of this request, which must have none yet."""
        key, nonce = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(NONCE_BYTES)
        _write_new(self._path(request_id), key)
        return nonce + AESGCM(key).encrypt(nonce, text.encode(), request_id.encode())

    def open(self, request_id: str, sealed: bytes) -> str:
        """
        Raises:
            FedrecError: the key was destroyed or is not in this folder, or the text is not what was sealed.
        """
        try:
            key = self._path(request_id).read_bytes()
        except FileNotFoundError:
            raise FedrecError(
                f"request {request_id}: its subject's key is not in {self._requests}: destroyed, or kept elsewhere"
            ) from None
        try:
            return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], request_id.encode()).decode()
        except (InvalidTag, ValueError):
            raise FedrecError(
                f"request {request_id}: its sealed subject or {self._path(request_id)} was altered: restore it"
            ) from None

    def destroy(self, request_id: str) -> None:
        """Overwrite and remove the request's key; nothing where it is gone already."""
        shred(self._path(request_id))

    def _path(self, request_id: str) -> Path:
        return self._requests / f"{UUID(request_id)}.key"

    def _pseudonym_key(self) -> bytes:
        path = self._folder / "pseudonym.key"
        if not path.exists():
            partial = self._folder / f"{secrets.token_hex(8)}.partial"
            _write_new(partial, secrets.token_bytes(KEY_BYTES))
            with contextlib.suppress(FileExistsError):  # another process was first: its key counts
                path.hardlink_to(partial)
            partial.unlink()
            sync_folder(self._folder)
        return path.read_bytes()


def _write_new(path: Path, content: bytes) -> None:
    """On the disk when it returns: what is sealed under a key must never outlive a power cut that the key did not.

    Journaling file systems write a new file's name with its content, so the folder is not flushed as well.
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
