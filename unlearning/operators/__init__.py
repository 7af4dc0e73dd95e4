"""Who acts: their keys, the ring that holds the private ones, and the registry of the public ones."""
