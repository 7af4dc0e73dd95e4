"""Work side by side on this machine: how many processes, and the processes themselves."""
