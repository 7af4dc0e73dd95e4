"""Attacks on a finished run whose clients' homes are on this machine: what each party could learn, measured.

They read the run and its homes, and change nothing of either; what they find is kept in RUN/attacks/.
"""
