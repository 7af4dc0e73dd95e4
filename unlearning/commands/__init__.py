"""What the commands of `fedrec unlearn` do."""
