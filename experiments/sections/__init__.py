"""The sections of README and docs/ that results fill: each function makes one of a result's content."""
