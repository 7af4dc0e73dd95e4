"""Forgetting: exactly, by retraining shards, or approximately. Knows nothing of Flower."""

import fedrec  # noqa: F401  how OpenMP waits, before any module here loads torch
