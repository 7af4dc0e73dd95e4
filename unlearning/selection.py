"""Moved; see fedrec.data.selection."""

from fedrec.data.selection import Selection, row_keys, without

__all__ = ["Selection", "row_keys", "without"]
