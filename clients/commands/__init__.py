"""`fedrec client` and `fedrec vault`, on the client's own machine."""
