"""Stop serving shards of a run, because its server says so where a client asks; nobody is named."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from clients import erasure
from clients.client import Client
from clients.client_run import ClientRun
from clients.home import open_home
from fedrec.data.selection import Selection


def withdraw(home: Path, run: str, shards: Sequence[int]) -> None:
    """As a question of the server's would have it."""
    erasure.withdraw(Client(ClientRun(open_home(home), run)), Selection(), shards)


if __name__ == "__main__":
    withdraw(Path(sys.argv[1]), sys.argv[2], [int(shard) for shard in sys.argv[3:]])
