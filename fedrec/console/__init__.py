"""What a command shows: results on standard output, signs of life and warnings beside it, nothing that steers."""
