"""fedrec: a federated LLM recommender that can forget."""

import os

# Before torch loads its OpenMP, which reads it once: threads that wait give up their core. Spinning, two processes of
# two threads each on two cores took 200 s for what takes them 30 s.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
