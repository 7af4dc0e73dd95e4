"""Erasure requests of a run, from the submission to the certificate."""
