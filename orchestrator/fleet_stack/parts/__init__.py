"""
What a fleet is made of: the database and what stands in it, the model, third-party programs.

The door names modules and loads none, so that a command loads only what it needs.
"""

__all__ = ("endpoints", "enrolment", "models", "pooler", "postgres", "program", "programs")
