"""Approximate unlearning: a trained adapter is changed until it is about as if it had never read some rows."""
