"""
Start the parts under a supervisor, check their health, stop them.

The door lists modules and loads none, so that a command loads only what it needs.
"""

__all__ = (
    "assembly", "checksums", "database", "health", "launch", "preflight", "render", "shutdown",
    "supervisor",
)  # fmt: skip
