"""The server of a deployed federation: SuperLink behind a gate, who is registered, and its runs."""
