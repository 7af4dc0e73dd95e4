"""What the commands of the core do, a file each; `fedrec.cli` has the table of them."""
