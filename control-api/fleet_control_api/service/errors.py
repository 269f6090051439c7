"""
What the control API answers when it does not do what was asked.

Each error is one problem+json answer.
"""

from __future__ import annotations

from fleet_timescale.errors import FleetError


class ControlApiError(FleetError):
    """The control API could not do what was asked."""


class ApiError(ControlApiError):
    """The request could not be served."""

    status = 500
    title = "Internal error"

    def __init__(
        self, message: str | None = None, *, remedy: str = "", retry_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.retry_seconds = retry_seconds


class MalformedError(ApiError):
    """The body is not a JSON object."""

    status = 400
    title = "Malformed request"


class UnauthenticatedError(ApiError):
    """The caller is not logged in."""

    status = 401
    title = "Not logged in"


class RefusedError(ApiError):
    """The role does not allow this."""

    status = 403
    title = "Refused"


class NotFoundError(ApiError):
    """There is no such thing."""

    status = 404
    title = "Not found"


class ConflictError(ApiError):
    """The present state does not allow this."""

    status = 409
    title = "Conflict"


class TooLargeError(ApiError):
    """The body is too large."""

    status = 413
    title = "Too large"


class MediaTypeError(ApiError):
    """The body must be JSON."""

    status = 415
    title = "Unsupported media type"


class InvalidError(ApiError):
    """A value cannot be used."""

    status = 422
    title = "Invalid value"


class TooManyError(ApiError):
    """Too many requests."""

    status = 429
    title = "Too many requests"


class GatewayError(ApiError):
    """Another program that the control API needs does not do what was asked of it."""

    status = 502
    title = "Bad gateway"


class UnavailableError(ApiError):
    """Something that the control API needs does not answer."""

    status = 503
    title = "Unavailable"


class ExportError(ControlApiError):
    """A conversation does not make a valid file."""


class ClientError(ControlApiError):
    """The command could not be carried out."""

    def __init__(self, message: str | None = None, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class LoggedOutError(ClientError):
    """The control API does not let this caller in: no token, or one that has ended."""
