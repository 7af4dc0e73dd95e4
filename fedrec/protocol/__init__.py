"""What server and clients say to each other: a record a question and an answer, and their one form on the wire.

The server asks (`questions`), clients answer (`answers`); docs/protocol.md is the table of all of them.
"""
