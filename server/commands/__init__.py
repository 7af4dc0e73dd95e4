"""What the commands over a federation do, a file each; `fedrec.cli` has the table of them."""
