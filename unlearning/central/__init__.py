"""A sharded model of one place: trained, measured, asked, and asked to forget."""
