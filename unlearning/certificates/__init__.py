"""Proof of an erasure: a signed certificate, the evidence beside it, and their verification without a run."""
