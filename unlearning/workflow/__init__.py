"""From an approved request to its certificate: what is decided, carried out, proved and written, over any executor."""
