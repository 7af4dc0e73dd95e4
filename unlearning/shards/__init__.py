"""One shard of a model: which rows it has, what it learns of them, and its adapters on disk."""
