"""The database: the one place where all programs of the fleet meet."""

__version__ = "0.1.0"
