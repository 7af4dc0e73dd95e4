"""The base model of a run: which one it is, whether it can do what is asked of it, and that it stays the same."""
