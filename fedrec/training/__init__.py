"""Training: one loop, and steps of it, which decide what a batch is and what it does to the adapter."""
