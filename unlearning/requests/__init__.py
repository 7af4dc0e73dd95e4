"""Erasure requests: who asked for what, until when, who decided, how far each is. No person in the clear."""
