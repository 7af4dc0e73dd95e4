"""A client's side of a federation."""

import fedrec  # noqa: F401  how OpenMP waits, before any module here loads torch
