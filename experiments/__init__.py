"""One script a paper table or a benchmark; each writes its own figures to results/."""
