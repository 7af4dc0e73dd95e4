"""Shards that answer together: stored adapters and their withdrawal, validation rows, aggregators, answers."""
