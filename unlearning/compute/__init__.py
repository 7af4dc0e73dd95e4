"""Where shards are worked on: in this process, in processes on this machine, as tasks on Ray."""
