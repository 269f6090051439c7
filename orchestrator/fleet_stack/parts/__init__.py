"""
The parts of a fleet: the database and its content, the model, third-party programs.

The door lists modules and loads none, so that a command loads only what it needs.
"""

__all__ = ("endpoints", "enrolment", "models", "pooler", "postgres", "program", "programs", "tls")
