"""Forgetting: exactly, by retraining shards, or approximately. Knows nothing of Flower."""
