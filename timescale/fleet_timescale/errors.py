"""The root of all errors that people may see; each component derives its own from it."""

from __future__ import annotations


class FleetError(Exception):
    """The fleet could not do what was asked."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class SettingsError(FleetError):
    """A setting is missing or has a value that cannot be used."""


class DatabaseError(FleetError):
    """The database refused or could not be reached."""


class MigrationError(DatabaseError):
    """The database and this checkout do not fit together."""
