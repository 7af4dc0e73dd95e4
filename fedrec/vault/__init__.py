"""A client's private data: rows, tombstones of what was erased, and what was used where."""
