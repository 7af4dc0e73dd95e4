"""Central training: one client that has everybody's rows, the baseline that federation avoids."""

from __future__ import annotations

from typing import ClassVar

from fedrec.strategies.local import Local


class Central(Local):
    """The one client keeps what it trained."""

    words: ClassVar[str] = "all rows are brought to one place and train one model, which federation avoids (central)"
    pools: ClassVar[bool] = True
