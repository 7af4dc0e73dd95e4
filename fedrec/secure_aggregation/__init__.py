"""Secure aggregation (Bonawitz et al. 2017; SecAgg+, Bell et al. 2020): who adds up learns a sum, and no part of it.

Every two neighbours agree on a mask that one adds and the other takes away, and each adds one of its own. Shares of the
secrets behind both lie with the neighbours: of who is in the sum they give the own mask's, of who dropped out the other
one's, and of nobody both. Against a server that keeps to this; one that lies about who is who is not held off.
"""

FEWEST = 3
"""Participants of a sum at least: of two, each would know the other's part from it."""
