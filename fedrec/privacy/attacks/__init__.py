"""Attacks on a trained model: pure functions on arrays, each measuring what an outsider could learn."""
