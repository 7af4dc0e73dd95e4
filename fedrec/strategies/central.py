"""Central training: one client that has everybody's rows, the baseline that federation avoids."""

from __future__ import annotations

from fedrec.strategies.local import Local


class Central(Local):
    """The one client keeps what it trained."""

    words = "all rows are brought to one place and train one model, which federation avoids (central)"
    pools = True
