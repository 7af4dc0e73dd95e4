"""The server's side of a federation. Flower and Ray report nothing home, unless the user's environment says so."""

import os

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")  # read when flwr is first imported
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
