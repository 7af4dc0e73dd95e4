"""Whether a run's files and its clients are of what its erasures have left, and what is done where an old copy was put
back: stale files are found, removed, or made anew; clients that were rolled back repeat the erasures they lack.
"""
