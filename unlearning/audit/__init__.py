"""What is signed and kept: canonical JSON, its fields and chains, and the log of what happened."""
