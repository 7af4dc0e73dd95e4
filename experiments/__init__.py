"""One script a paper table or a benchmark; with `--write` its figures replace those in results/."""
