"""What others may learn of the people a model was trained on: what is told of them, and attacks that measure it."""
