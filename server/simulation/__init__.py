"""A federation whose clients' homes are on this machine: made, prepared and run to its result."""
