"""
Run the parts under a supervisor, ask them how they are, stop them.

The door names modules and loads none, so that a command loads only what it needs.
"""

__all__ = (
    "assembly", "checksums", "database", "health", "launch", "preflight", "shutdown",
    "supervisor",
)  # fmt: skip
