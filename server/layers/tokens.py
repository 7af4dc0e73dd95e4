"""Tokens of the layer service: whose stream it is, by the service's own key, for a while.

    token = base64(JSON {client, until}) "." HMAC-SHA256(key, that)

The key is made with the service, which lives for one round of one run: a token of another round is none.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable

from fedrec.protocol.record import BadMessage


class Tokens:
    def __init__(self, seconds: float, clock: Callable[[], float] = time.time) -> None:
        """
        Args:
            seconds: for which a token is good.
        """
        self._key, self._seconds, self._clock = secrets.token_bytes(32), seconds, clock

    def of(self, client: str) -> str:
        said = json.dumps({"client": client, "until": self._clock() + self._seconds}).encode()
        text = base64.urlsafe_b64encode(said).decode()
        return f"{text}.{self._mac(text)}"

    def client(self, token: str) -> str:
        """Whose a token is.

        Raises:
            BadMessage: it is none of this service, or too old.
        """
        text, _, mac = token.partition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(text).encode()):
            raise BadMessage("its token is none of this round")
        said = json.loads(base64.urlsafe_b64decode(text))
        if self._clock() > said["until"]:
            raise BadMessage("its token is too old")
        return str(said["client"])

    def _mac(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()
