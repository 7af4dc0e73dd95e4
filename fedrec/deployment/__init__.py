"""Real processes on real machines: keys, the settings of each side, and processes that end together.

Nothing here knows of Flower: `server.deployment` and `clients.deployment` start its processes.
"""
