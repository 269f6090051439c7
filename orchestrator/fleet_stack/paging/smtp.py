"""The address of a mail server, as FLEET_SMTP_URL holds it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from fleet_stack.paging.errors import PagingError

SMTP, SMTPS = "smtp", "smtps"
PORTS = {SMTP: 587, SMTPS: 465}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Smtp:
    """A mail server: TLS from the first byte (smtps), by STARTTLS, or none."""

    host: str
    port: int
    user: str = ""
    is_tls_from_start: bool = False

    @property
    def needs_starttls(self) -> bool:
        """True where TLS begins within the session."""
        return self.requires_tls and not self.is_tls_from_start

    @property
    def requires_tls(self) -> bool:
        """False only for a server of this machine that wants no login: nobody can listen."""
        return self.is_tls_from_start or bool(self.user) or self.host not in LOOPBACK

    @property
    def address(self) -> str:
        """The address as Alertmanager takes it: HOST:PORT."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address for people, without the login."""
        return f"{SMTPS if self.is_tls_from_start else SMTP}://{self.address}"


def parse_smtp(variable: str, url: str) -> Smtp:
    """Return the mail server. Raises PagingError, without the value where that holds a password."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.password is not None:
        raise PagingError(
            f"{variable} holds a password; take it out and write it to a file that only you can "
            "read, named by FLEET_SMTP_PASSWORD_FILE"
        )
    shown = url.rpartition("@")[2]  # without a password, wherever it stands
    is_more = bool(parts.path.strip("/") or parts.query or parts.fragment)
    if parts.scheme not in PORTS or not parts.hostname or not port or is_more:
        raise PagingError(
            f"{variable} is {shown!r}, no mail server; write smtp://USER@HOST:587 (STARTTLS) or "
            "smtps://USER@HOST:465, without USER where the server wants no login"
        )
    if parts.scheme == SMTPS and port != PORTS[SMTPS]:
        raise PagingError(
            f"{variable} is {shown!r}: Alertmanager speaks TLS from the first byte on port 465 "
            "only; write smtps://HOST:465, or smtp://HOST:587 for STARTTLS"
        )
    if parts.scheme == SMTP and port == PORTS[SMTPS]:
        raise PagingError(
            f"{variable} is {shown!r}: on port 465 TLS begins with the first byte; write smtps://"
        )
    return Smtp(parts.hostname, port, unquote(parts.username or ""), parts.scheme == SMTPS)
