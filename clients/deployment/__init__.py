"""A client of a deployed federation: its SuperNode, and the process that answers for its home."""
