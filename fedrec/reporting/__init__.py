"""What people are shown of a run, of a comparison and of an erasure: pages, their figures, tables on a terminal."""
